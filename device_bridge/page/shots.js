/** Pictures in and out: photos from the gallery, saving, sharing, keeping the screen on. */

const SIDE = 1024;
const QUALITY = 0.92;
const MOST_SIDE = 2048;

/** What cannot be read as a picture. */
export class PhotoError extends Error {}

/**
 * Read a photo; large ones are made smaller, turned as the camera held them.
 * @param {File} file
 * @returns {Promise<ImageBitmap>}
 */
export async function readPhoto(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch {
    throw new PhotoError(`${file.name || 'This file'} is not a picture that the browser can read.`);
  }
  const largest = Math.max(bitmap.width, bitmap.height);
  if (largest <= MOST_SIDE) return bitmap;
  const scale = MOST_SIDE / largest;
  const smaller = await createImageBitmap(bitmap, {
    resizeWidth: Math.round(bitmap.width * scale),
    resizeHeight: Math.round(bitmap.height * scale),
    resizeQuality: 'high',
  });
  bitmap.close();
  return smaller;
}

/**
 * The edited square as a file.
 * @param {object} stage
 * @param {string} name of the edit
 * @returns {Promise<File>}
 */
export async function picture(stage, name) {
  const canvas = document.createElement('canvas');
  canvas.width = SIDE;
  canvas.height = SIDE;
  const context = canvas.getContext('2d', { alpha: false });
  context.imageSmoothingQuality = 'high';
  stage.drawSquare(context, { x: 0, side: SIDE });
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
  return new File([blob], `${fileName(name)}.jpg`, { type: 'image/jpeg' });
}

function fileName(name) {
  const word = name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'picture';
  const now = new Date();
  const two = (n) => String(n).padStart(2, '0');
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `${word}-${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

/** Put a file among the phone's downloads. */
export function save(file) {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = file.name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}

export function canShare(file) {
  try {
    return Boolean(navigator.canShare?.({ files: [file] }));
  } catch {
    return false;
  }
}

/** @returns {Promise<boolean>} false where the person thought better of it */
export async function share(file) {
  try {
    await navigator.share({ files: [file] });
    return true;
  } catch (error) {
    if (error.name === 'AbortError') return false;
    throw error;
  }
}

/** Keeps the screen on while pictures run; where the browser cannot, it does nothing. */
export class WakeLock {
  #lock = null;
  #isWanted = false;

  async want(isWanted) {
    this.#isWanted = isWanted;
    if (!isWanted) {
      this.#lock?.release().catch(() => {});
      this.#lock = null;
      return;
    }
    if (this.#lock && !this.#lock.released) return;
    try {
      this.#lock = await navigator.wakeLock.request('screen');
      if (!this.#isWanted) await this.want(false);
    } catch {
      // Low battery, or not known here.
    }
  }
}
