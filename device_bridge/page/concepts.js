/**
 * Concepts of one base: reads their files and merges them into the base's weights. What the files
 * hold is described in backend/export/concept_file.py, which does the same for the desktop.
 *
 * How a switch is made was measured in Chromium: 256x256, 1.41 GMAC, 926 kB of weights, WASM with
 * one thread; frames of all ways in turns, medians against a plain export with merged weights.
 * - Weights as inputs of the graph, merged here: merging takes 0.3 to 1 ms, no session is built, a
 *   frame takes 1.02 times as long and is equal to the last bit. With the graph rewritten for WASM,
 *   which needs no fixed weights either, 0.65 to 0.92 times. This is what is done.
 * - Merge and build a new session in the same worker: 14 to 240 ms on two busy cores, in which
 *   nothing is painted. Optimisation levels change that less than the load does (disabled 14 to 74).
 * - The same in a second worker, while the first paints: 158 ms from wish to picture (median of 10,
 *   longest 468) where merging here takes 111 (117), and a frame of the first worker up to 343: the
 *   two share the cores. A blend that is dragged would ask for a new session with every step.
 * - A merged session kept warm in a second worker: 131 ms (272). Of use for concepts that were
 *   guessed, and for no blend.
 * - A and B as inputs, their product in the graph: 1.01 times (natively 1.7 to 1.9, where blocked
 *   layouts are lost), but a graph for every rank, and nothing gained over merging here.
 * A run cannot be stopped, so the graph comes in stages: a picture of the concept before is left
 * between two of them and begun anew. Wish to painted picture fell from 2.0 to 1.3 frame times.
 * Where a picture takes longer than 50 ms, the first one after a switch is computed with 5/8 of the
 * side (2/5 of the work, the same weights), and the whole one right after: a wish is seen after 54 ms
 * in place of 111. While a slider is dragged all pictures are such, and it ends with a whole one.
 */

/** 2 has pairs of several rows for an output channel: kernels as matrices (out k, in k). */
const FORMATS = [1, 2];
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_HEADER = 256 * 1024;
const MOST_RANK = 1024;
const KEY = 'tb.key';
const VALUE = 'tb.value';
/** Layers that project the text, and the slot of what they make of it. */
const TEXT_LAYERS = { 'tb.k2': KEY, 'tb.v2': VALUE };

/** A concept's file that cannot be read or does not fit; the message says what is wrong. */
export class ConceptError extends Error {
  name = 'ConceptError';
}

/**
 * @typedef {{a: Float32Array, b: Float32Array, rank: number, out: number, inputs: number}} Pair
 * @typedef {{name: string, shape: number[], offset: number, told: boolean}} Slot
 * @typedef {{b: Float32Array, rank: number, out: number, texts: Map<string, Float32Array>}} Met
 * @typedef {{id: string, pairs: Map<string, Pair>, scale: number, key: Float32Array,
 *   value: Float32Array, met: Map<string, Met>}} Concept
 */

const count = (shape) => shape.reduce((all, one) => all * one, 1);

/**
 * Read the file of a concept, and the one for its blends where it is here.
 * @param {{id: string, data: ArrayBuffer, blend?: ArrayBuffer | null}} files
 * @param {Map<string, Slot>} slots
 * @returns {Concept}
 * @throws {ConceptError} damaged, or of another network
 */
export function readConcept({ id, data, blend = null }, slots) {
  try {
    const { notes, values } = opened(data);
    const concept = split(notes, new Parts(values), slots);
    return { ...concept, id, met: blend ? readMet(blend, slots) : new Map() };
  } catch (error) {
    if (error instanceof ConceptError) throw error;
    throw new ConceptError(`This is no concept's file (${error.name}).`);
  }
}

/** What a concept's change of a text layer makes of the texts of all concepts. */
function readMet(data, slots) {
  const { notes, values } = opened(data);
  const [, heads, tokens, head] = slots.get(KEY).shape;
  const rest = new Parts(values);
  const met = new Map();
  for (const [layer, rank] of ranks(notes.ranks)) {
    if (!TEXT_LAYERS[layer]) throw new ConceptError(`A concept projects its text by "${layer}".`);
    const out = heads * head;
    const b = rest.take(out * rank);
    const texts = new Map(notes.ids.map((id) => [id, rest.take(rank * tokens)]));
    met.set(layer, { b, rank, out, texts });
  }
  rest.end();
  return met;
}

function opened(data) {
  if (data.byteLength > MOST_BYTES) throw new ConceptError("A concept's file is too large.");
  if (data.byteLength < 8) throw new ConceptError("A concept's file is cut off.");
  const length = Number(new DataView(data).getBigUint64(0, true));
  if (length > Math.min(MOST_HEADER, data.byteLength - 8)) {
    throw new ConceptError("A concept's file is cut off.");
  }
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 8, length)));
  const notes = JSON.parse(header.__metadata__['fretsaw.concept']);
  if (!FORMATS.includes(notes.format)) {
    throw new ConceptError(`A concept's file is of another format than ${FORMATS.join(' or ')}.`);
  }
  const { dtype, shape } = header.values;
  const body = data.slice(8 + length);
  const values = dtype === 'F32' ? new Float32Array(body) : dtype === 'F16' ? halves(body) : null;
  if (!values) throw new ConceptError("A concept's numbers are of an unknown type.");
  if (shape.length !== 1 || shape[0] !== values.length) {
    throw new ConceptError("A concept's file is not as long as it says.");
  }
  if (!values.every(Number.isFinite)) {
    throw new ConceptError("A concept's file holds numbers that are not finite.");
  }
  return { notes, values };
}

/** float16 as float32. */
function halves(body) {
  const bits = new Uint16Array(body);
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const exponent = (bits[i] >> 10) & 31;
    const fraction = bits[i] & 1023;
    const size =
      exponent === 31
        ? NaN // neither infinity nor no number belongs here
        : exponent
          ? (1 + fraction / 1024) * 2 ** (exponent - 15)
          : fraction * 2 ** -24;
    out[i] = bits[i] >> 15 ? -size : size;
  }
  return out;
}

function split(notes, rest, slots) {
  const pairs = new Map();
  for (const [layer, rank] of ranks(notes.ranks)) {
    const slot = slots.get(`${layer}.weight`);
    if (!slot?.told || ![2, 4].includes(slot.shape.length)) {
      throw new ConceptError(`A concept changes a layer "${layer}", which the base has not.`);
    }
    const rows = notes.rows?.[layer] ?? 1;
    const inputs = count(slot.shape.slice(1));
    if (!Number.isInteger(rows) || rows < 1 || inputs % rows) {
      throw new ConceptError(`A concept's rows of "${layer}" are no rows.`);
    }
    pairs.set(layer, rest.pair(rank, slot.shape[0] * rows, inputs / rows));
  }
  const [key, value] = [KEY, VALUE].map((name) => rest.take(count(slots.get(name).shape)));
  rest.end();
  if (!Number.isFinite(notes.scale)) throw new ConceptError("A concept's scale is not finite.");
  return { pairs, scale: notes.scale, key, value };
}

function ranks(record) {
  const all = Object.entries(record);
  for (const [layer, rank] of all) {
    if (!Number.isInteger(rank) || rank < 1 || rank > MOST_RANK) {
      throw new ConceptError(`A concept's rank of "${layer.slice(0, 60)}" is no rank.`);
    }
  }
  return all;
}

/** Takes parts off the front of a row of numbers. */
class Parts {
  #at = 0;

  constructor(values) {
    this.values = values;
  }

  take(length) {
    const to = this.#at + length;
    if (!(length >= 0 && to <= this.values.length)) {
      throw new ConceptError("A concept's file has fewer numbers than it says.");
    }
    const part = this.values.subarray(this.#at, to);
    this.#at = to;
    return part;
  }

  pair(rank, out, inputs) {
    return { a: this.take(rank * inputs), b: this.take(out * rank), rank, out, inputs };
  }

  end() {
    if (this.#at !== this.values.length) {
      throw new ConceptError("A concept's file has more numbers than it says.");
    }
  }
}

/**
 * The told weights of a base with concepts in their shares: deltas B A are mixed, and key and value
 * of the texts. What two concepts have of each other where they change the projection of the text
 * is added too, so a mix is what the merged mix of both computes.
 * @param {Float32Array} base the whole file of weights
 * @param {Map<string, Slot>} slots
 * @param {[Concept, number][]} parts concepts and shares, one or two; none leaves the base as it is
 * @returns {Map<string, Float32Array>} by the name of the input
 */
export function merged(base, slots, parts) {
  const out = new Map();
  for (const slot of slots.values()) {
    if (!slot.told) continue;
    const from = slot.offset / 4;
    out.set(slot.name, base.slice(from, from + count(slot.shape)));
  }
  for (const [concept, share] of parts) {
    for (const [layer, pair] of concept.pairs) {
      addProduct(out.get(`${layer}.weight`), pair, share * concept.scale);
    }
  }
  for (const name of parts.length ? [KEY, VALUE] : []) {
    const view = out.get(name).fill(0);
    for (const [concept, share] of parts) {
      const from = name === KEY ? concept.key : concept.value;
      for (let i = 0; i < view.length; i++) view[i] += share * from[i];
    }
  }
  if (parts.length === 2) {
    for (const [layer, name] of Object.entries(TEXT_LAYERS)) {
      cross(out.get(name), slots.get(name).shape, parts, layer);
    }
  }
  return out;
}

/** weight += scale B A */
function addProduct(weight, { a, b, rank, out, inputs }, scale) {
  for (let o = 0; o < out; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    for (let r = 0; r < rank; r++) {
      const factor = Math.fround(scale * b[o * rank + r]);
      const from = r * inputs;
      for (let i = 0; i < inputs; i++) row[i] += factor * a[from + i];
    }
  }
}

/** view -= s (1 - s) (d1 - d2)(t1 - t2), for changes d and texts t, (1, heads, tokens, c). */
function cross(view, [, , tokens, head], [[first, rest], [second, share]], layer) {
  for (const [own, other] of [[first, second], [second, first]]) {
    const met = own.met.get(layer);
    if (!met) continue;
    const [mine, theirs] = [met.texts.get(own.id), met.texts.get(other.id)];
    if (!mine || !theirs) throw new ConceptError('These two concepts cannot be blended yet.');
    const factor = share * rest * own.scale;
    for (let o = 0; o < met.out; o++) {
      const to = (Math.floor(o / head) * tokens) * head + (o % head);
      for (let r = 0; r < met.rank; r++) {
        const weight = factor * met.b[o * met.rank + r];
        for (let t = 0; t < tokens; t++) {
          view[to + t * head] -= weight * (mine[r * tokens + t] - theirs[r * tokens + t]);
        }
      }
    }
  }
}
