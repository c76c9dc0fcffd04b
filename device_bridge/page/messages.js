/** The words and pictures of the protocol, version 1: what device_bridge/protocol.py describes. */

export const VERSION = 1;
export const PAGE_VERSION = '2';
const HEADER = 24;
const decoder = new TextDecoder();

/** @returns {string} a message as text */
export function packed(t, fields = {}) {
  return JSON.stringify({ v: VERSION, t, ...fields });
}

/**
 * Read a text message of the studio.
 * @returns {{t: string} | null} null for what is not understood
 * @throws {VersionError} the studio speaks another version
 */
export function unpacked(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (!message || typeof message !== 'object' || typeof message.t !== 'string') return null;
  if (message.v !== VERSION) throw new VersionError();
  return message;
}

export class VersionError extends Error {
  constructor() {
    super('This page and the studio are of different versions. Reload the page.');
  }
}

/**
 * A picture with its header: magic, number, phone time in ms, length, duration in us.
 * @param {'FRM1' | 'ASK1'} magic
 * @param {number} seq
 * @param {ArrayBuffer} jpeg
 * @param {number} totalUs
 */
export function packFrame(magic, seq, jpeg, totalUs) {
  const data = new Uint8Array(HEADER + jpeg.byteLength);
  const view = new DataView(data.buffer);
  for (let i = 0; i < 4; i++) data[i] = magic.charCodeAt(i);
  view.setUint32(4, seq >>> 0);
  view.setFloat64(8, performance.now());
  view.setUint32(16, jpeg.byteLength);
  view.setUint32(20, Math.min(2 ** 32 - 1, Math.max(0, Math.round(totalUs))));
  data.set(new Uint8Array(jpeg), HEADER);
  return data.buffer;
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {{magic: string, seq: number, totalUs: number, jpeg: Uint8Array} | null}
 */
export function unpackFrame(buffer) {
  if (buffer.byteLength < HEADER) return null;
  const view = new DataView(buffer);
  const length = view.getUint32(16);
  if (length !== buffer.byteLength - HEADER) return null;
  return {
    magic: decoder.decode(new Uint8Array(buffer, 0, 4)),
    seq: view.getUint32(4),
    totalUs: view.getUint32(20),
    jpeg: new Uint8Array(buffer, HEADER),
  };
}
