/**
 * What the person sees: the camera picture, and over it the edited square, cut by the split line
 * and blended by the strength. Camera and edit of the same moment are shown together.
 */

const MOST_PIXELS_WIDE = 720;
/** Height of the stage by its width. */
export const ASPECT = 4 / 3;

export class Stage {
  #context;
  #before = document.createElement('canvas');
  #pending = document.createElement('canvas');
  #grab = document.createElement('canvas');
  #edited = document.createElement('canvas');
  #grabContext;
  #hasEdit = false;
  #hasPicture = false;
  /** Part of the width that shows the camera, 0 to 1. */
  split = 0;
  /** How much of the edit is seen, 0 to 1. */
  strength = 1;
  /** Whether the camera picture alone is shown. */
  isHeld = false;
  isMirrored = false;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    this.#grabContext = this.#grab.getContext('2d', { willReadFrequently: true, alpha: false });
    this.fit(360);
  }

  /** Take the width in device pixels; more than 720 costs time and shows nothing new. */
  fit(pixels) {
    const width = Math.max(240, Math.min(MOST_PIXELS_WIDE, Math.round(pixels)));
    if (this.canvas.width === width) return;
    for (const canvas of [this.canvas, this.#before, this.#pending]) {
      canvas.width = width;
      canvas.height = Math.round(width * ASPECT);
    }
    this.paint();
  }

  /** The edited square in canvas pixels: centred on the stage. */
  get square() {
    const { width, height } = this.canvas;
    return { x: 0, y: (height - width) / 2, side: width };
  }

  get hasEdit() {
    return this.#hasEdit;
  }

  /**
   * Take the source's picture of this moment for the network.
   * @param {CanvasImageSource} source
   * @param {number} width of the source
   * @param {number} height of the source
   * @param {{width: number, height: number}} size what the network wants
   * @returns {ImageData}
   */
  grab(source, width, height, size) {
    const part = crop(width, height);
    this.#draw(this.#pending.getContext('2d'), source, part);
    if (this.#grab.width !== size.width || this.#grab.height !== size.height) {
      this.#grab.width = size.width;
      this.#grab.height = size.height;
    }
    const top = part.y + (part.height - part.width) / 2;
    const context = this.#grabContext;
    context.save();
    if (this.isMirrored) context.transform(-1, 0, 0, 1, size.width, 0);
    const { x, width: side } = part;
    context.drawImage(source, x, top, side, side, 0, 0, size.width, size.height);
    context.restore();
    return context.getImageData(0, 0, size.width, size.height);
  }

  /** The canvas that was grabbed last: what the desktop is sent. */
  get grabbed() {
    return this.#grab;
  }

  /** Show the answer to what was grabbed last. */
  show(answer) {
    [this.#before, this.#pending] = [this.#pending, this.#before];
    this.#hasPicture = true;
    const edited = this.#edited;
    const { width, height } = answer.bitmap ?? answer;
    if (edited.width !== width || edited.height !== height) Object.assign(edited, { width, height });
    const context = edited.getContext('2d', { alpha: false });
    if (answer.bitmap) {
      context.drawImage(answer.bitmap, 0, 0);
      answer.bitmap.close();
    } else {
      const pixels = new Uint8ClampedArray(answer.pixels);
      context.putImageData(new ImageData(pixels, width, height), 0, 0);
    }
    this.#hasEdit = true;
    this.paint();
  }

  /** Show the source alone: there is no edit yet. */
  showPlain(source, width, height) {
    this.#draw(this.#before.getContext('2d'), source, crop(width, height));
    this.#hasPicture = true;
    this.#hasEdit = false;
    this.paint();
  }

  /** Forget the edited picture: the next one belongs to another edit. */
  dropEdit() {
    this.#hasEdit = false;
  }

  paint() {
    const context = this.#context;
    if (!this.#hasPicture) return;
    context.drawImage(this.#before, 0, 0);
    if (!this.#hasEdit) return;
    const { y, side } = this.square;
    context.fillStyle = 'rgb(19 18 16 / 62%)';
    context.fillRect(0, 0, side, y);
    context.fillRect(0, y + side, side, y + 1);
    if (!this.isHeld) this.#drawEdit(context, side * this.split, y, side);
  }

  #drawEdit(context, from, y, side) {
    if (from >= side || this.strength <= 0) return;
    const { width, height } = this.#edited;
    const part = from / side;
    context.globalAlpha = this.strength;
    context.imageSmoothingQuality = 'medium';
    context.drawImage(
      this.#edited,
      ...[part * width, 0, (1 - part) * width, height],
      ...[from, y, side - from, side],
    );
    context.globalAlpha = 1;
  }

  #draw(context, source, { x, y, width, height }) {
    const canvas = context.canvas;
    context.save();
    if (this.isMirrored) context.transform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(source, x, y, width, height, 0, 0, canvas.width, canvas.height);
    context.restore();
  }

  /**
   * Draw the square as it is kept, shared or sent: edited with the strength, without the split.
   * @param {CanvasRenderingContext2D} context
   * @param {{x: number, side: number, edited?: boolean}} place
   */
  drawSquare(context, { x, side, edited = true }) {
    const from = this.square;
    context.drawImage(this.#before, from.x, from.y, from.side, from.side, x, 0, side, side);
    if (!edited || !this.#hasEdit) return;
    context.globalAlpha = this.strength;
    context.drawImage(this.#edited, x, 0, side, side);
    context.globalAlpha = 1;
  }
}

/** The largest part of the stage's shape in the middle of a picture. */
export function crop(width, height) {
  const isWide = height < width * ASPECT;
  const part = isWide ? { width: height / ASPECT, height } : { width, height: width * ASPECT };
  return { ...part, x: (width - part.width) / 2, y: (height - part.height) / 2 };
}
