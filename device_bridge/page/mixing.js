/**
 * Tells a worker which concepts to compute with. Files of concepts go there once; a mix is a few
 * numbers. While one is on its way only the newest wish waits: a slider that is dragged never
 * queues up.
 */
import { conceptOf, mixParts } from './mix.js';
import { bytesOf } from './model.js';
import { fileOf } from './library.js';

export class Mixing {
  /** Files that a worker has read, by the concept's id. @type {WeakMap<object, Map<string, string>>} */
  #known = new WeakMap();
  #turns = new WeakMap();
  #seq = 0;

  /** @param {import('./files.js').Files} files */
  constructor(files) {
    this.files = files;
  }

  /** A worker has opened another graph. */
  forget(slot) {
    this.#known.delete(slot);
  }

  /** Whether a worker has read all that a mix needs. */
  knows(slot, offer, mix) {
    const ids = mixParts(mix).map(([id]) => id);
    return ids.every((id) => this.#known.get(slot)?.get(id)?.startsWith(mark(offer, id, ids)));
  }

  /** Hand files of concepts to a worker, those that it has not read yet. */
  async learn(slot, offer, ids) {
    const known = this.#known.get(slot) ?? new Map();
    this.#known.set(slot, known);
    const concepts = [];
    for (const id of ids) {
      const concept = conceptOf(offer, id);
      if (!concept) throw new Error(`There is no concept "${id}".`);
      const blend = ids.length > 1 ? fileOf(concept, 'blend') : null;
      const hash = mark(offer, id, ids);
      if (known.get(id)?.startsWith(hash)) continue;
      const data = await bytesOf(this.files, fileOf(concept, 'adapter'));
      concepts.push({ id, data, blend: blend && (await bytesOf(this.files, blend)), hash });
    }
    if (!concepts.length) return;
    const moved = concepts.flatMap(({ data, blend }) => (blend ? [data, blend] : [data]));
    await slot.ask('learn', { concepts }, moved);
    for (const { id, hash } of concepts) known.set(id, hash);
  }

  /** The number of the next wish: pictures that are computed with it, or later, carry no less. */
  next() {
    return ++this.#seq;
  }

  /**
   * Compute with `mix` from now on; a picture that is on its way is begun anew.
   * @returns {Promise<number>} its number, which pictures carry; 0 where a newer wish came
   */
  async set(slot, offer, mix, seq = this.next()) {
    const turns = this.#turns.get(slot) ?? { latest: 0, sending: null };
    this.#turns.set(slot, turns);
    turns.latest = seq;
    while (turns.sending) await turns.sending.catch(() => {});
    if (turns.latest !== seq) return 0;
    turns.sending = this.#send(slot, offer, mix, seq).finally(() => {
      turns.sending = null;
    });
    await turns.sending;
    return seq;
  }

  async #send(slot, offer, mix, seq) {
    const parts = mixParts(mix);
    await this.learn(slot, offer, parts.map(([id]) => id));
    await slot.ask('mix', { parts, seq });
  }
}

/** Files that a worker needs of a concept that is shown with others, or alone. */
function mark(offer, id, ids) {
  const concept = conceptOf(offer, id);
  const blend = ids.length > 1 ? fileOf(concept, 'blend') : null;
  return (fileOf(concept, 'adapter')?.sha256 ?? 'none') + (blend?.sha256 ?? '');
}
