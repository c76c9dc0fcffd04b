/** Small pictures of edits as addresses that an image element takes. */
import { fileOf } from './library.js';

export class Thumbs extends EventTarget {
  #urls = new Map();

  /** @param {import('./files.js').Files} files */
  constructor(files) {
    super();
    this.files = files;
  }

  /** The address of an offer's picture, or an empty string while it is not here. */
  url(offer) {
    const file = fileOf(offer, 'thumb');
    if (!file) return '';
    const known = this.#urls.get(file.sha256);
    if (known !== undefined) return known;
    this.#urls.set(file.sha256, '');
    this.#read(file.sha256);
    return '';
  }

  async #read(hash) {
    const data = await this.files.stored(hash).catch(() => null);
    if (!data) {
      this.#urls.delete(hash);
      return;
    }
    this.#urls.set(hash, URL.createObjectURL(new Blob([data], { type: kind(data) })));
    this.dispatchEvent(new Event('change'));
  }
}

function kind(data) {
  const first = new Uint8Array(data, 0, 1)[0];
  return first === 0x89 ? 'image/png' : 'image/jpeg';
}
