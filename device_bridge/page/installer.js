/**
 * From the studio's offer to the edit on the screen: fetch what is missing, keep it, play it, and
 * tell the studio how each step went. The live edit goes on whatever happens.
 */
import { FileError } from './files.js';
import { PlayError } from './player.js';
import { fileOf, filesOf, firstFiles } from './library.js';
import { conceptOf, mixFields, mixFor } from './mix.js';

const PROGRESS_MS = 200;

/** Events: `installed` {id}, `problem` {id, text, stage}. */
export class Installer extends EventTarget {
  #tickets = new Map();
  #waiting = null;

  /** @param {{link: object, files: object, library: object, player: object, loop: object,
   *   stats: object, doctor: object, choice: object}} parts */
  constructor(parts) {
    super();
    Object.assign(this, parts);
    this.player.addEventListener('golden', ({ detail }) => this.#compared(detail));
    this.player.addEventListener('failed', ({ detail }) => this.#tell(detail));
    this.loop.addEventListener('frame', ({ detail }) => this.#painted(detail.live));
  }

  /** Take an offer; a newer one for the same edit overtakes it. */
  async offer(message) {
    const { id } = message;
    const began = performance.now();
    const edit = this.library.take(id);
    const isKnown = sameFiles(edit.offer, message) && sameFormats(edit.offer, message);
    if (isKnown) {
      edit.offer = message;
      this.library.changed();
      // Pushed again, it is shown again; an offer repeated after a break names what is shown now.
      const isOther = id !== this.library.current;
      const isWanted = message.show || !isOther;
      if (isWanted && (isOther || !this.player.live)) await this.play(id);
      return;
    }
    const ticket = (this.#tickets.get(id) ?? 0) + 1;
    this.#tickets.set(id, ticket);
    const isLatest = () => this.#tickets.get(id) === ticket && this.library.get(id) === edit;
    edit.coming = message;
    edit.done = 0;
    this.library.changed();
    try {
      await this.#fetch(edit, message, isLatest);
    } catch (error) {
      if (isLatest()) this.#lost(edit, message, error);
      return;
    }
    if (!isLatest()) return;
    Object.assign(edit, { offer: message, coming: null, problem: '', desktop: false });
    this.doctor.report('model', 'ok', `${message.name} is here`);
    this.library.changed();
    this.#evict();
    this.dispatchEvent(new CustomEvent('installed', { detail: { id } }));
    const isShown = message.show || !this.library.current || this.library.current === id;
    if (isShown) await this.play(id, began);
  }

  async #fetch(edit, message, isLatest) {
    const wanted = firstFiles(message, mixFor(message, edit.mix));
    const total = wanted.reduce((sum, file) => sum + file.bytes, 0);
    let before = 0;
    let said = 0;
    for (const file of wanted) {
      const onBytes = (done) => {
        edit.done = before + done;
        const isAll = edit.done >= total;
        if (!isLatest() || (!isAll && performance.now() - said < PROGRESS_MS)) return;
        said = performance.now();
        this.link.say('progress', { id: message.id, done: edit.done, total });
        this.library.dispatchEvent(new Event('change'));
      };
      await this.files.get(file, onBytes, async () =>
        this.library.unneeded(await this.files.held()),
      );
      before += file.bytes;
      if (!isLatest()) return;
    }
    if (this.files.isFull) this.#full(message.id);
  }

  /** Get files of the concepts of a mix that are not here yet: usually they came ahead. */
  async fetchConcepts(offer, mix) {
    const spare = async () => this.library.unneeded(await this.files.held());
    for (const id of mix ? [mix.first, mix.second].filter(Boolean) : []) {
      for (const role of mix.second ? ['adapter', 'blend'] : ['adapter']) {
        const file = fileOf(conceptOf(offer, id), role);
        if (file) await this.files.get(file, () => {}, spare);
      }
    }
  }

  #full(id) {
    const text = "This phone's storage is full. The edit stays until the page is closed.";
    this.#tell({ id, stage: 'storage', text });
  }

  #lost(edit, message, error) {
    edit.coming = null;
    const stage = error instanceof FileError ? error.stage : 'download';
    const text = error instanceof FileError ? error.message : `The download failed: ${error.message}`;
    edit.problem = text;
    this.doctor.report('model', 'failed', text);
    this.#tell({ id: message.id, stage, text });
    if (!edit.offer) this.library.remove(message.id);
    else this.library.changed();
  }

  async #evict() {
    const unneeded = this.library.unneeded(await this.files.held());
    if (unneeded.length) await this.files.remove(unneeded);
  }

  /**
   * Show an installed edit.
   * @param {string} id
   * @param {number} [began] when the wish arose: the swap is timed from there
   */
  async play(id, began = performance.now()) {
    const edit = this.library.get(id);
    if (!edit?.offer) return;
    this.library.current = id;
    this.library.changed();
    const { offer } = edit;
    const mix = mixFor(offer, edit.mix);
    this.stats.watchGap();
    this.#waiting = { began, offer, live: null, load_ms: 0 };
    const backends = this.choice.backends();
    try {
      await this.fetchConcepts(offer, mix);
      if (edit.desktop || backends[0] === 'desktop') this.player.showDesktop(offer, mix);
      else if (!(await this.player.show(offer, backends, mix))) return;
    } catch (error) {
      this.#cannot(edit, error);
      return;
    }
    edit.problem = edit.desktop ? edit.problem : '';
    await this.#swapped(offer);
  }

  async #swapped(offer) {
    const { backend, load_ms: loadMs } = this.player.live;
    this.stats.reset();
    this.doctor.report('backend', 'ok', this.choice.name(backend));
    if (!fileOf(offer, 'golden')) this.doctor.report('golden', 'skipped', 'No golden picture came');
    const { mix } = this.player.live;
    const concept = mix ? { concept: mixFields(mix) } : {};
    this.link.say('chosen', { id: offer.id, strength: this.choice.strength, ...concept });
    this.library.changed();
    if (this.#waiting?.offer === offer) {
      this.#waiting.live = this.player.live;
      this.#waiting.load_ms = loadMs;
    }
    if (this.loop.isStill) await this.loop.refresh();
    else if (!this.loop.isRunning) this.#ready(null);
  }

  /** The first picture of a new edit is on the screen. */
  #painted(live) {
    const waiting = this.#waiting;
    if (!waiting?.live || waiting.live !== live || this.player.live !== live) return;
    this.#ready(performance.now() - waiting.began);
  }

  #ready(swapMs) {
    if (!this.#waiting) return;
    const { offer, load_ms: loadMs } = this.#waiting;
    this.#waiting = null;
    const gap = this.stats.longestGap();
    const fields = {
      id: offer.id,
      graph: fileOf(offer, 'graph').sha256,
      backend: this.player.live.backend,
      load_ms: loadMs,
    };
    const weights = fileOf(offer, 'weights');
    if (weights) fields.weights = weights.sha256;
    if (swapMs !== null) Object.assign(fields, { swap_ms: swapMs, gap_ms: gap });
    this.link.say('ready', fields);
    this.dispatchEvent(new CustomEvent('ready', { detail: fields }));
  }

  #cannot(edit, error) {
    const { offer } = edit;
    const isKnown = error instanceof PlayError || error instanceof FileError;
    const stage = isKnown ? error.stage : 'session';
    const canAsk = stage === 'operator' || stage === 'session';
    const isHelped = canAsk && this.link.isOpen;
    edit.problem = isHelped ? `${error.message} The desktop computes it.` : error.message;
    if (stage === 'golden') this.doctor.report('golden', 'failed', error.message);
    else this.doctor.report('backend', 'failed', error.message);
    this.#tell({ id: offer.id, stage, text: edit.problem });
    if (isHelped) {
      edit.desktop = true;
      this.play(offer.id);
      return;
    }
    this.#waiting = null;
    this.library.current = this.player.live?.id ?? offer.id;
    this.library.changed();
  }

  #compared(detail) {
    this.link.say('golden', detail);
    if (!detail.ok) return;
    const text = `Largest error ${scientific(detail.max_error)}`;
    this.doctor.report('golden', 'ok', text);
  }

  #tell({ id, stage, text }) {
    this.link.say('failed', { id, stage, text: text.slice(0, 400) });
    this.dispatchEvent(new CustomEvent('problem', { detail: { id, stage, text } }));
  }

  /** Take an edit off the phone, with its files. */
  async remove(id) {
    const wasLive = this.player.live?.id === id;
    this.#tickets.set(id, (this.#tickets.get(id) ?? 0) + 1);
    this.library.remove(id);
    await this.#evict();
    if (!wasLive) return;
    this.player.stop();
    this.stats.reset();
    if (this.library.current) await this.play(this.library.current);
    else if (this.loop.isStill) await this.loop.refresh();
  }
}

/** Whether two offers have the same files, formats aside: nothing is to be fetched or built. */
export function sameFiles(a, b) {
  if (!a || !b) return false;
  const list = (offer) => filesOf(offer).map((file) => file.role + file.sha256).sort().join();
  return list(a) === list(b);
}

/** "1.1e-5" */
export function scientific(value) {
  if (value === 0) return '0';
  if (value >= 0.001) return value.toPrecision(2);
  return value.toExponential(1).replace('e-0', 'e-');
}

/** Whether pixels become numbers, and numbers pixels, in the same way. */
function sameFormats(one, other) {
  const parts = ({ input, output, tolerance, concepts }) =>
    JSON.stringify([input, output, tolerance, concepts?.slots]);
  return parts(one) === parts(other);
}
