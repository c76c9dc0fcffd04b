/** Times of frames: percentiles of the last seconds, and what a telemetry message needs. */

const STAGES = ['grab', 'pre', 'run', 'post', 'paint', 'total'];
const KEPT = 120;

/** Value below which the part `p` of the samples lies; 0 for none. */
export function percentile(samples, p) {
  if (!samples.length) return 0;
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
}

export class Stats {
  #second = [];
  #recent = [];
  #painted = [];
  #last = 0;
  #longest = 0;
  #isGapWatched = false;
  sent = 0;
  skipped = 0;

  /** @param {Record<string, number>} ms time of each stage, and of all */
  frame(ms) {
    this.#second.push(ms);
    this.#recent.push(ms.total);
    if (this.#recent.length > KEPT) this.#recent.shift();
  }

  /** Note that a frame has been painted now. */
  painted(now = performance.now()) {
    if (this.#isGapWatched && this.#last) this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
    this.#painted.push(now);
    while (this.#painted.length && now - this.#painted[0] > 1500) this.#painted.shift();
  }

  /** Frames a second over the last 1.5 s. */
  get fps() {
    const now = performance.now();
    const fresh = this.#painted.filter((at) => now - at <= 1500);
    if (fresh.length < 2) return 0;
    return ((fresh.length - 1) * 1000) / (fresh[fresh.length - 1] - fresh[0]);
  }

  get median() {
    return percentile(this.#recent, 0.5);
  }

  get p95() {
    return percentile(this.#recent, 0.95);
  }

  get count() {
    return this.#recent.length;
  }

  /** Begin to look for the longest time without a new picture. */
  watchGap() {
    this.#isGapWatched = true;
    this.#longest = 0;
  }

  /** Return the longest time without a new picture since `watchGap`, in ms. */
  longestGap() {
    this.#isGapWatched = false;
    return this.#longest;
  }

  /** Forget what belongs to another edit or backend, or to before a pause. */
  reset() {
    this.#second = [];
    this.#recent = [];
    this.pause();
  }

  /** The loop rests: the time until the next picture is no gap. */
  pause() {
    this.#last = 0;
    this.#painted = [];
  }

  /** Stage times since the last call, as the protocol wants them; null where there were none. */
  take() {
    const second = this.#second;
    this.#second = [];
    if (!second.length) return null;
    const ms = {};
    for (const stage of STAGES) {
      const samples = second.map((one) => one[stage]).filter((value) => Number.isFinite(value));
      if (!samples.length) continue;
      ms[stage] = { p50: round(percentile(samples, 0.5)), p95: round(percentile(samples, 0.95)) };
    }
    return ms;
  }
}

/** Two places after the point are enough for a time in ms. */
export function round(value) {
  return Math.round(value * 100) / 100;
}
