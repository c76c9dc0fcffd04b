/**
 * The frame loop: camera picture -> network -> stage, with one picture on its way at a time. It
 * runs by the camera's own clock where the browser has one, and rests while the page is hidden.
 */

export class Loop extends EventTarget {
  isRunning = false;
  #isBusy = false;
  #still = null;
  #stillAt = 0;
  #handle = 0;
  #usesVideoClock = 'requestVideoFrameCallback' in HTMLVideoElement.prototype;
  #failures = 0;
  #isHurried = false;
  /** Whether the last picture was of a smaller size: a whole one is to follow at once. */
  #isQuick = false;
  /** Set while backends are measured: the last picture stays. */
  isPaused = false;

  /**
   * @param {{video: HTMLVideoElement, stage: object, player: object, desktop: object,
   *   stats: object, size: () => {width: number, height: number}}} parts
   */
  constructor(parts) {
    super();
    Object.assign(this, parts);
  }

  /** Follow the camera. */
  start() {
    this.#still = null;
    if (this.isRunning) return;
    this.isRunning = true;
    this.stats.pause();
    this.#next();
  }

  stop() {
    this.isRunning = false;
    this.stats.pause();
    if (this.#usesVideoClock) this.video.cancelVideoFrameCallback(this.#handle);
    else cancelAnimationFrame(this.#handle);
  }

  /** Whether a photo is shown in the camera's place. */
  get isStill() {
    return this.#still !== null;
  }

  /**
   * Show a photo instead of the camera, computed again whenever the edit changes.
   * @param {ImageBitmap | null} bitmap
   */
  async showStill(bitmap) {
    this.stop();
    this.#still = bitmap;
    await this.refresh();
  }

  /** Compute the photo again; nothing where the camera runs. */
  async refresh() {
    if (!this.#still) return;
    const wanted = ++this.#stillAt;
    while (this.#isBusy) await new Promise((resolve) => setTimeout(resolve, 10));
    if (wanted !== this.#stillAt || !this.#still) return;
    this.stage.isMirrored = false;
    await this.#frame(this.#still, this.#still.width, this.#still.height);
  }

  /** Do not wait for the camera's next picture: what it shows now is to be computed anew. */
  hurry() {
    if (!this.isRunning) this.refresh();
    else if (this.#isBusy) this.#isHurried = true;
    else this.#tick();
  }

  #next() {
    if (!this.isRunning) return;
    const tick = () => {
      this.#next();
      this.#tick();
    };
    this.#handle = this.#usesVideoClock
      ? this.video.requestVideoFrameCallback(tick)
      : requestAnimationFrame(tick);
  }

  #tick() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (this.#isBusy || this.isPaused || document.hidden || !width) return;
    this.#frame(this.video, width, height);
  }

  async #frame(source, width, height) {
    if (!this.player.live) {
      this.stage.showPlain(source, width, height);
      this.dispatchEvent(new Event('plain'));
      return;
    }
    this.#isBusy = true;
    try {
      await this.#edited(source, width, height);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      this.stage.showPlain(source, width, height);
      const detail = { text: error.message, count: this.#failures };
      this.dispatchEvent(new CustomEvent('trouble', { detail }));
      // A picture that fails at once would otherwise be tried 30 times a second.
      await new Promise((resolve) => setTimeout(resolve, Math.min(2000, 100 * this.#failures)));
    } finally {
      this.#isBusy = false;
    }
    const isNext = this.#isHurried || this.#isQuick;
    this.#isHurried = this.#isQuick = false;
    if (!isNext) return;
    if (this.isRunning) this.#tick();
    else this.refresh();
  }

  async #edited(source, width, height) {
    const t0 = performance.now();
    const live = this.player.live;
    const picture = this.stage.grab(source, width, height, this.size());
    const t1 = performance.now();
    const answer = live.slot
      ? await this.player.process(picture)
      : await this.desktop.process(this.stage.grabbed);
    const t2 = performance.now();
    if (this.player.live?.id !== live.id) return;
    this.stage.show(answer);
    const t3 = performance.now();
    const { pre, run, post } = answer.ms;
    const isQuick = Boolean(answer.isQuick);
    const total = t3 - t0;
    if (!isQuick) this.stats.frame({ grab: t1 - t0, pre, run, post, paint: t3 - t2, total });
    this.stats.painted(t3);
    this.#isQuick = isQuick;
    const detail = { live, total, isQuick, mix: answer.mix ?? 0 };
    this.dispatchEvent(new CustomEvent('frame', { detail }));
  }
}
