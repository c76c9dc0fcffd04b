/** The desktop computes: a JPEG goes up, an edited JPEG comes back. One is on its way at a time. */
import { packFrame } from './messages.js';

const PATIENCE_MS = 20_000;

export class Desktop {
  #waiting = null;
  #seq = 0;
  /** The number of the mix of concepts that pictures are computed with from now on. */
  mix = 0;

  /** @param {import('./link.js').Link} link */
  constructor(link) {
    this.link = link;
    link.addEventListener('frame', ({ detail }) => this.#answered(detail));
    link.addEventListener('closed', () => this.#end(new Error('The studio is gone.')));
  }

  /**
   * @param {HTMLCanvasElement} canvas the picture, at the size of the network
   * @returns {Promise<{bitmap: ImageBitmap, ms: {run: number}}>} `run` is time of the desktop
   */
  async process(canvas) {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.9));
    const jpeg = await blob.arrayBuffer();
    const seq = ++this.#seq;
    const { mix } = this;
    const answer = await new Promise((resolve, reject) => {
      this.#end(new Error('Another picture took its place.'));
      const timer = setTimeout(
        () => this.#end(new Error('The desktop did not answer for 20 s.')),
        PATIENCE_MS,
      );
      this.#waiting = { seq, resolve, reject, timer };
      if (!this.link.show(packFrame('ASK1', seq, jpeg, 0))) {
        this.#end(new Error('The studio cannot be reached, so it cannot compute.'));
      }
    });
    const bitmap = await createImageBitmap(new Blob([answer.jpeg], { type: 'image/jpeg' }));
    return { bitmap, mix, ms: { run: answer.totalUs / 1000 } };
  }

  #answered(frame) {
    if (frame.magic !== 'ANS1' || frame.seq !== this.#waiting?.seq) return;
    const { resolve, timer } = this.#waiting;
    this.#waiting = null;
    clearTimeout(timer);
    resolve(frame);
  }

  #end(error) {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (!waiting) return;
    clearTimeout(waiting.timer);
    waiting.reject(error);
  }
}
