/**
 * What the studio sees: the picture of the phone a few times a second, only while the studio has
 * room for one more. A picture that finds no room is counted and dropped; nothing queues up.
 */
import { packFrame } from './messages.js';

const MOST_SIDE = 512;

export class Preview {
  #canvas = document.createElement('canvas');
  #isBusy = false;
  #last = 0;
  #seq = 0;
  wish = { on: false, fps: 8, quality: 0.8, split: false };

  /** @param {{link: object, stage: object, stats: object}} parts */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /**
   * A frame has been painted.
   * @param {number} totalMs what it took
   * @param {number} side of the network's picture
   */
  async offer(totalMs, side) {
    const { on, fps } = this.wish;
    const now = performance.now();
    // Half a frame of tolerance: the camera's clock and this one are not the same.
    if (!on || !fps || now - this.#last < 1000 / fps - 16) return;
    if (this.#isBusy || !this.link.hasRoom) {
      this.stats.skipped += 1;
      return;
    }
    this.#last = now;
    this.#isBusy = true;
    try {
      const jpeg = await this.#encoded(Math.min(side, MOST_SIDE));
      if (!this.link.hasRoom) return;
      this.link.credit -= 1;
      this.link.show(packFrame('FRM1', ++this.#seq, jpeg, totalMs * 1000));
      this.stats.sent += 1;
    } finally {
      this.#isBusy = false;
    }
  }

  async #encoded(side) {
    const { split, quality } = this.wish;
    const canvas = this.#canvas;
    const width = split ? 2 * side : side;
    if (canvas.width !== width || canvas.height !== side) {
      canvas.width = width;
      canvas.height = side;
    }
    const context = canvas.getContext('2d', { alpha: false });
    if (split) this.stage.drawSquare(context, { x: 0, side, edited: false });
    this.stage.drawSquare(context, { x: split ? side : 0, side });
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
    return blob.arrayBuffer();
  }
}
