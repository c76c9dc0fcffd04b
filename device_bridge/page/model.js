/** What a worker needs to open an edit: graph, weights, and the base of an edit with concepts. */
import { fileOf, graphsOf, quickGraphsOf } from './library.js';

/**
 * @param {import('./files.js').Files} files
 * @param {object} offer its files are here
 * @param {boolean} gpu
 * @returns {Promise<{graphs: ArrayBuffer[], weights: {path: string, data: Uint8Array}[],
 *   base: ArrayBuffer | null, slots: object[], gpu: boolean}>} bytes that may be moved
 * @throws {Error} a file is gone
 */
export async function modelOf(files, offer, gpu) {
  const { concepts } = offer;
  const graphs = await Promise.all(graphsOf(offer).map((one) => bytesOf(files, one)));
  const file = fileOf(offer, 'weights');
  const data = file && (await bytesOf(files, file));
  return {
    graphs,
    weights: file ? [{ path: file.path, data: new Uint8Array(data) }] : [],
    base: concepts ? data.slice(0) : null,
    slots: concepts?.slots ?? [],
    gpu,
  };
}

/**
 * What a worker needs to show a smaller picture first after a switch; null where nothing is offered.
 * @param {import('./files.js').Files} files
 * @param {object} offer its files are here
 * @returns {Promise<object | null>}
 */
export async function quickOf(files, offer) {
  const parts = quickGraphsOf(offer);
  if (!parts.length) return null;
  const graphs = await Promise.all(parts.map((one) => bytesOf(files, one)));
  const file = fileOf(offer, 'weights');
  const weights = [{ path: file.path, data: new Uint8Array(await bytesOf(files, file)) }];
  return { graphs, weights, base: null, gpu: false, ...offer.concepts.quick };
}

/** What of a model is moved to a worker, not copied. */
export function movable({ graphs, weights, base }) {
  return [...graphs, ...weights.map((one) => one.data.buffer), ...(base ? [base] : [])];
}

/** The bytes of a file that is here, as a copy. */
export async function bytesOf(files, file) {
  const data = await files.stored(file.sha256);
  if (!data) throw new Error('A file of this edit is gone. Push it again.');
  return data.slice(0);
}

/** The first input and the expected output of a golden pair. */
export async function goldenOf(files, { input, output, ...offer }, [channels, depth]) {
  const values = new Float32Array(await bytesOf(files, fileOf(offer, 'golden')));
  const size = channels * input.height * input.width;
  return {
    data: values.slice(0, size),
    shape: [1, channels, input.height, input.width],
    expected: values.subarray(size, size + depth * output.height * output.width),
  };
}
