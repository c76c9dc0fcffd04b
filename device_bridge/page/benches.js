/** When backends are measured: once by itself, by a button, or because the studio asks. */
import { fastest } from './ladder.js';
import { fileOf } from './library.js';
import { measure } from './measuring.js';

const AFTER_MS = 4000;
/** Threads that wait for each other lose more than they win on cores that others use as well. */
const SLOWER_BY = 1.25;
const SLOW_SECONDS = 3;
const FRAMES = 8;
const USUAL = { runs: 15, warmup: 3 };

export class Benches {
  #timer = 0;
  #slow = 0;

  /**
   * @param {{choice: object, player: object, library: object, link: object, files: object,
   *   desktop: object, loop: object, stats: object, facts: object, installer: object,
   *   cameraView: object, update: () => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** Measure by itself once pictures run, if this phone never was. */
  soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const { live } = this.player;
      if (!this.choice.wantsMeasuring || !live?.slot || this.facts.isMeasuring) return;
      await this.#run(live.offer, { ...USUAL, backends: this.choice.candidates });
    }, AFTER_MS);
  }

  /**
   * Once a second: leave a backend whose pictures take longer than one thread took when it was
   * measured. What was found in a quiet moment need not last.
   */
  async watch() {
    const { choice, player, stats, facts } = this;
    const { live } = player;
    const single = choice.time('wasm-1');
    const isOwn = live?.slot && !choice.picked && !choice.asked && live.backend.startsWith('wasm-');
    const isSlow =
      isOwn && live.backend !== 'wasm-1' && !facts.isMeasuring && single?.median_ms > 0 &&
      stats.count >= FRAMES && stats.median > SLOWER_BY * single.median_ms;
    this.#slow = isSlow ? this.#slow + 1 : 0;
    if (this.#slow < SLOW_SECONDS) return;
    this.#slow = 0;
    choice.found(live.backend, stats.median);
    if (choice.current !== live.backend) await this.installer.play(live.id);
  }

  /** The button: every backend, with the edit that is live. */
  async all() {
    const edit = this.library.get(this.library.current);
    if (!edit?.offer || this.facts.isMeasuring) return;
    const backends = this.choice.all.filter((one) => one !== 'desktop' || this.link.isOpen);
    await this.#run(edit.offer, { ...USUAL, backends });
  }

  /** The studio's wish. */
  async asked({ id, runs = 30, warmup = 5, backends = [] }) {
    const offer = this.library.get(id)?.offer;
    if (!offer || this.facts.isMeasuring) return;
    const { all } = this.choice;
    const wanted = backends.length ? backends.filter((one) => all.includes(one)) : all;
    await this.#run(offer, { runs, warmup, backends: wanted });
  }

  /** Measure while pictures rest, tell the studio, and go on with the fastest. */
  async #run(offer, wish) {
    const { facts, choice, loop } = this;
    facts.isMeasuring = true;
    loop.isPaused = true;
    this.cameraView.notice('Finding what is fastest on this phone');
    this.update();
    try {
      const times = await measure({ ...wish, offer, files: this.files, desktop: this.desktop });
      const graph = fileOf(offer, 'graph').sha256;
      const chosen = fastest(times.filter((time) => choice.candidates.includes(time.backend)));
      choice.measured = { graph, name: offer.name, at: Date.now(), times: times.map(brief) };
      choice.changed();
      this.link.say('bench', { id: offer.id, graph, times, ...(chosen ? { chosen } : {}) });
    } finally {
      facts.isMeasuring = false;
      loop.isPaused = false;
      this.stats.pause();
      this.cameraView.notice('');
      this.update();
    }
    const { live } = this.player;
    if (live?.slot && choice.current !== live.backend) await this.installer.play(live.id);
  }
}

/** What is kept of a measurement: the samples went to the studio. */
function brief({ backend, median_ms, p90_ms, samples, error }) {
  return { backend, median_ms, p90_ms, samples: samples.slice(0, 1), error };
}
