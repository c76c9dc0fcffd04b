/**
 * Plays the live edit: builds sessions beside the running one, checks them against the golden
 * pair, and only then swaps. The running session paints all the while.
 *
 * Events: `swapped` {id, offer, backend, load_ms}, `golden` {id, backend, max_error, mean_error,
 * ok}, `failed` {id, stage, text}, `change`.
 */
import { isApple } from './platform.js';
import { planOf } from './ladder.js';
import { startSlot } from './slot.js';
import { fileOf } from './library.js';
import { goldenOf, modelOf, movable } from './model.js';
import { Mixing } from './mixing.js';

const SPARE_LIFE_MS = 45_000;
/** WebGPU of iOS has crashed after some 500 runs; a new session before that is cheap. */
const GPU_FRAMES = 400;

/** Why an edit cannot be played here; `stage` is the protocol's word. */
export class PlayError extends Error {
  constructor(stage, text) {
    super(text);
    this.stage = stage;
  }
}

/** What a runtime's error means for the person who holds the phone. */
export function explained(text, name) {
  const operator =
    /Could not find an implementation for (?:the node )?(?:[^:\s]*:)?([A-Za-z][\w.]*)/.exec(text) ??
    /(?:[\w.]+[.:])?([A-Za-z]\w*)\(-?\d+\) is not a registered function/.exec(text) ??
    /No [Oo]p registered for ([A-Za-z]\w*)/.exec(text) ??
    /unsupported (?:op|operator)[^A-Za-z]*([A-Za-z]\w*)/i.exec(text);
  if (operator) {
    return new PlayError(
      'operator',
      `${name} uses the operator "${operator[1]}", which this page cannot compute.`,
    );
  }
  if (/memory|RangeError|bad_alloc|allocat/i.test(text)) {
    return new PlayError('session', `${name} does not fit in this phone's memory.`);
  }
  return new PlayError('session', `${name} cannot be opened here: ${text.slice(0, 200)}`);
}

export class Player extends EventTarget {
  /** @type {{id: string, offer: object, backend: string, slot: object | null, shape: any[]} | null} */
  live = null;
  #spare = null;
  #spareTimer = 0;
  #ticket = 0;
  #frames = 0;
  #rebuilding = false;

  /** @param {import('./files.js').Files} files */
  constructor(files) {
    super();
    this.files = files;
    this.mixing = new Mixing(files);
  }

  /** Load a runtime before an edit needs it. */
  async warm(backend) {
    if (this.#spare || this.live || backend === 'desktop') return;
    try {
      this.#keep(await startSlot(backend, planOf(backend)));
    } catch {
      // The edit that needs it will say why.
    }
  }

  /**
   * Show an edit, computed by the first of `backends` that can; its files must be here.
   * @param {object} offer
   * @param {string[]} backends
   * @param {object | null} [mix] of its concepts, where it has some
   * @returns {Promise<boolean>} false where a newer wish came in between
   * @throws {PlayError} none of them can; what was live goes on
   */
  async show(offer, backends, mix = null) {
    const ticket = ++this.#ticket;
    let problem = null;
    for (const backend of backends) {
      try {
        const built = await this.#built({ offer, mix }, backend, () => ticket === this.#ticket);
        if (!built) return false;
        this.#swap(built);
        return true;
      } catch (error) {
        problem = error instanceof PlayError ? error : explained(String(error.message), offer.name);
        this.dispatchEvent(
          new CustomEvent('setback', { detail: { id: offer.id, backend, text: problem.message } }),
        );
      }
      if (ticket !== this.#ticket) return false;
    }
    throw problem ?? new PlayError('session', `${offer.name} cannot be opened here.`);
  }

  /** Let the desktop compute an edit. */
  showDesktop(offer, mix = null) {
    this.#ticket++;
    const built = { id: offer.id, offer, mix, backend: 'desktop', slot: null };
    this.#swap({ ...built, shape: [], load_ms: 0 });
  }

  /**
   * Show another mix of the live edit's concepts, from the next picture on.
   * @param {{first: string, second?: string, share?: number}} mix
   * @param {number} seq the number that pictures of it will carry
   */
  async mix(mix, seq) {
    const { live } = this;
    const isSet = !live.slot || (await this.mixing.set(live.slot, live.offer, mix, seq));
    if (this.live === live && isSet) live.mix = mix;
  }

  /** Stop playing. */
  stop() {
    this.#ticket++;
    this.live?.slot?.close();
    this.live = null;
    this.dispatchEvent(new Event('change'));
  }

  /**
   * Compute one picture with the live session.
   * @param {{data: Uint8ClampedArray, width: number, height: number}} picture its buffer is moved
   */
  async process(picture) {
    const { slot, backend } = this.live;
    const { width, height } = picture;
    const pixels = picture.data.buffer;
    try {
      const answer = await slot.ask('frame', { pixels, width, height }, [pixels]);
      this.#frames += 1;
      if (slot.plan.gpu && isApple() && this.#frames % GPU_FRAMES === 0) {
        this.#rebuild([backend]);
      }
      return answer;
    } catch (error) {
      if (this.live?.slot === slot) this.#rebuild(['wasm-1']);
      throw error;
    }
  }

  async #rebuild(backends) {
    if (this.#rebuilding) return;
    this.#rebuilding = true;
    const { offer, mix } = this.live;
    try {
      await this.show(offer, backends, mix);
    } catch (error) {
      const detail = { id: offer.id, stage: 'run', text: error.message };
      this.dispatchEvent(new CustomEvent('failed', { detail }));
    } finally {
      this.#rebuilding = false;
    }
  }

  async #built({ offer, mix }, backend, isWanted) {
    const slot = await this.#free(backend);
    try {
      const model = await this.#model(offer, slot.plan.gpu);
      const { input, output } = offer;
      const loaded = await slot.ask('build', { model, input, output }, movable(model));
      this.mixing.forget(slot);
      if (!isWanted()) {
        this.#keep(slot);
        return null;
      }
      await this.#compare(slot, offer, backend, loaded.channels);
      if (mix && isWanted()) await this.#mixed(slot, offer, mix);
      if (!isWanted()) {
        this.#keep(slot);
        return null;
      }
      const { load_ms: loadMs, shape } = loaded;
      return { id: offer.id, offer, mix, backend, slot, shape, load_ms: loadMs };
    } catch (error) {
      slot.close();
      throw error;
    }
  }

  async #model(offer, gpu) {
    try {
      return await modelOf(this.files, offer, gpu);
    } catch (error) {
      throw new PlayError('download', error.message);
    }
  }

  async #mixed(slot, offer, mix) {
    try {
      await this.mixing.set(slot, offer, mix);
    } catch (error) {
      throw new PlayError('concept', error.message);
    }
  }

  /** Compute the golden picture and compare; a phone that computes something else is not used. */
  async #compare(slot, offer, backend, channels) {
    if (!fileOf(offer, 'golden')) return;
    const { data: values, shape, expected } = await goldenOf(this.files, offer, channels);
    const { data } = await slot.ask('tensor', { data: values, shape });
    const { max, mean } = difference(data, expected);
    const ok = max <= offer.tolerance && data.length === expected.length && expected.length > 0;
    const detail = { id: offer.id, backend, max_error: max, mean_error: mean, ok };
    this.dispatchEvent(new CustomEvent('golden', { detail }));
    if (!ok) {
      throw new PlayError(
        'golden',
        `This phone's answer differs from the studio's by ${max.toPrecision(2)}, ` +
          `${offer.tolerance} is allowed. ${offer.name} is not shown.`,
      );
    }
  }

  async #free(backend) {
    const spare = this.#spare;
    this.#spare = null;
    clearTimeout(this.#spareTimer);
    if (spare && !spare.isDead && spare.backend === backend) return spare;
    spare?.close();
    return startSlot(backend, planOf(backend));
  }

  #swap(built) {
    const before = this.live;
    this.live = built;
    this.#frames = 0;
    if (before?.slot && !before.slot.isDead) {
      before.slot.ask('clear').catch(() => {});
      this.#keep(before.slot);
    }
    this.dispatchEvent(new CustomEvent('swapped', { detail: built }));
    this.dispatchEvent(new Event('change'));
  }

  /** Keep a worker with a loaded runtime for the next session, for a while. */
  #keep(slot) {
    if (this.#spare && this.#spare !== slot) this.#spare.close();
    this.#spare = slot;
    clearTimeout(this.#spareTimer);
    this.#spareTimer = setTimeout(() => {
      if (this.live && this.#spare === slot) {
        this.#spare = null;
        slot.close();
      }
    }, SPARE_LIFE_MS);
  }
}

/** Largest and mean absolute difference of two arrays. */
export function difference(a, b) {
  let max = a.length === b.length ? 0 : 1e9;
  let sum = 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const d = Math.abs(a[i] - b[i]);
    if (!(d <= max)) max = Number.isFinite(d) ? d : 1e9;
    sum += Number.isFinite(d) ? d : 1e9;
  }
  return { max, mean: sum / Math.max(1, a.length) };
}
