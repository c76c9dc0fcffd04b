/**
 * Which backend computes: what the person picked, else what the studio asks for, else the fastest
 * that was measured on this phone. And the strength, which belongs to the person alone.
 */
import { NAMES, backendsOf, fastest, measuredAlone } from './ladder.js';

const KEY = 'fretsaw.choice.1';

export class Choice extends EventTarget {
  can = { threads: false, cores: 1, gpu: null };
  /** What the person picked by hand, or empty. */
  picked = '';
  /** What the studio asks for while it is connected, or empty. */
  asked = '';
  /** @type {{graph: string, name: string, at: number, times: object[]} | null} */
  measured = null;
  strength = 1;
  split = 0.38;

  constructor() {
    super();
    try {
      const { picked, measured, strength, split, agent } = JSON.parse(localStorage.getItem(KEY));
      if (agent === navigator.userAgent) Object.assign(this, { picked, measured });
      if (strength >= 0 && strength <= 1) this.strength = strength;
      if (split >= 0 && split <= 1) this.split = split;
    } catch {
      // Nothing was kept, or by another version.
    }
  }

  changed() {
    const { picked, measured, strength, split } = this;
    const kept = { picked, measured, strength, split, agent: navigator.userAgent };
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // It lasts as long as the page.
    }
    this.dispatchEvent(new Event('change'));
  }

  get all() {
    return backendsOf(this.can);
  }

  /** Backends to measure without being asked. */
  get candidates() {
    return measuredAlone(this.can);
  }

  name(backend) {
    return NAMES[backend];
  }

  /** The backend that is used for the next edit. */
  get current() {
    const wish = this.picked || this.asked || fastest(this.#usable()) || 'wasm-1';
    return this.all.includes(wish) ? wish : 'wasm-1';
  }

  #usable() {
    const times = this.measured?.times ?? [];
    return times.filter((time) => this.candidates.includes(time.backend));
  }

  /** What to try, in order; one thread of WASM runs wherever anything runs. */
  backends() {
    return [...new Set([this.current, 'wasm-1'])];
  }

  /** What a backend takes in use, where that is not what was measured. */
  found(backend, ms) {
    const time = this.time(backend);
    if (time) time.median_ms = ms;
    this.changed();
  }

  get wantsMeasuring() {
    return !this.measured && !this.picked && !this.asked && this.candidates.length > 1;
  }

  time(backend) {
    return this.measured?.times.find((time) => time.backend === backend);
  }
}
