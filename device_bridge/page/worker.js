/**
 * The inference worker: one runtime, at most one edit: a session, or one for each of its stages.
 * What takes longer than a frame happens in a worker that does not paint, so building a session
 * never holds the picture up.
 *
 * Requests carry `n`, answers repeat it; an answer has `error` where it failed.
 */
import { ConceptError, merged, readConcept } from './concepts.js';
import { createSession, loadRuntime } from './runtime.js';
import { shrunk, toPixels, toTensor } from './pixels.js';

/** A picture that takes longer than this many ms is computed smaller first after a switch. */
const LONG_MS = 50;

let ort = null;
/** Sessions of the stages, in order: each reads what the one before gave, and told weights. */
let stages = [];
/** The same for smaller pictures, and their size; null where there is no such graph. */
let quick = null;
/** Time of the last whole picture, and the mix of the last one that was given back. */
let whole = 0;
let given = 0;
let formats = null;
let input = null;
/** The base of an edit with concepts: its weights, where they lie, the concepts read so far. */
let base = null;
/** The weights that the graph is told with every picture, and the number of their mix. */
let told = {};
let mixed = 0;
/** The wish for another mix that has come and is not carried out yet. */
let coming = null;

const deeds = {
  /** Load the runtime. */
  async start({ wish }) {
    const loaded = await loadRuntime(wish);
    ort = loaded.ort;
    self.addEventListener('unload', loaded.release);
    return {};
  },

  /** Build the session of a model; the one before is released. */
  async build({ model, input: from, output: to }) {
    const began = performance.now();
    await deeds.clear();
    for (const graph of model.graphs) stages.push(await createSession(ort, graph, model));
    formats = { from, to };
    input = null;
    mixed = given = whole = 0;
    base = model.base && baseOf(model);
    told = base ? tensors(merged(base.weights, base.slots, [])) : {};
    const [first] = stages[0].inputMetadata ?? [];
    const [shown] = stages[stages.length - 1].outputMetadata ?? [];
    return {
      load_ms: performance.now() - began,
      shape: first?.shape ?? [],
      channels: [channelsOf(first, 3), channelsOf(shown, 3)],
    };
  },

  /** Read files of concepts, for mixes to come. */
  async learn({ concepts }) {
    for (const one of concepts) base.concepts.set(one.id, readConcept(one, base.slots));
    return {};
  },

  /** From now on, the first picture of another mix may be a smaller one. */
  async quicken({ model }) {
    const sessions = [];
    for (const graph of model.graphs) sessions.push(await createSession(ort, graph, model));
    await releaseAll(quick?.sessions);
    quick = { sessions, height: model.height, width: model.width };
    return {};
  },

  /** From now on, compute with concepts in these shares; `seq` is repeated with every picture. */
  async mix(wish) {
    if (coming === wish) coming = null;
    if (mixed !== wish.seq) mix(wish);
    return {};
  },

  /** Compute a picture; the pixels come back in the same buffer. */
  async frame({ pixels, width, height }) {
    const t0 = performance.now();
    const rgba = new Uint8ClampedArray(pixels);
    const channels = channelsOf(stages[0].inputMetadata?.[0], 3);
    if (!input || input.length !== channels * width * height) {
      input = new Float32Array(channels * width * height);
    }
    toTensor(rgba, input, formats.from, channels);
    const t1 = performance.now();
    const shape = [1, channels, height, width];
    // Begun anew where another mix is wished for meanwhile; the next wish waits for this picture.
    const isFirst = isQuickNext();
    let output = isFirst ? await runQuick(shape) : await run(stages, input, shape, takesWish);
    const isQuick = isFirst || (!output && isQuickNext());
    output ??= isQuick ? await runQuick(shape) : await run(stages, input, shape);
    given = mixed;
    const t2 = performance.now();
    if (!isQuick) whole = t2 - t1;
    const [, depth, high, wide] = output.dims;
    const same = high * wide === width * height;
    const painted = same ? rgba : new Uint8ClampedArray(high * wide * 4);
    toPixels(output.data, painted, formats.to, depth);
    const t3 = performance.now();
    output.tensor.dispose?.();
    return {
      pixels: painted.buffer,
      width: wide,
      height: high,
      mix: mixed,
      isQuick,
      ms: { pre: t1 - t0, run: t2 - t1, post: t3 - t2 },
      move: [painted.buffer],
    };
  },

  /** Run a tensor as it is: the golden pair. */
  async tensor({ data, shape }) {
    const output = await run(stages, data, shape);
    const copy = new Float32Array(output.data);
    return { data: copy, shape: output.dims, move: [copy.buffer] };
  },

  /** Time runs on noise that has a fixed seed; stops early when `limit_ms` is over. */
  async bench({ shape, runs, warmup, limit_ms: limit }) {
    const data = noise(shape.reduce((a, b) => a * b, 1));
    const began = performance.now();
    const samples = [];
    for (let i = 0; i < warmup + runs; i++) {
      const from = performance.now();
      await run(stages, data, shape);
      const took = performance.now() - from;
      if (i >= warmup || performance.now() - began > limit) samples.push(took);
      if (performance.now() - began > limit) break;
    }
    return { samples };
  },

  /** Release the sessions; the runtime stays warm. */
  async clear() {
    await releaseAll(stages);
    await releaseAll(quick?.sessions);
    stages = [];
    quick = null;
    return {};
  },
};

async function releaseAll(sessions) {
  for (const session of sessions ?? []) await session.release();
}

/** Whether the next picture is the first one of a mix, and a whole one would take long. */
function isQuickNext() {
  return quick !== null && mixed !== given && whole > LONG_MS;
}

function runQuick([, channels, ...size]) {
  const { sessions, height, width } = quick;
  const small = shrunk(input, size, [height, width]);
  return run(sessions, small, [1, channels, height, width]);
}

/** Run all stages; null where `isStale` says between two of them that nobody wants the answer. */
async function run(sessions, data, shape, isStale = null) {
  let tensor = new ort.Tensor('float32', data, shape);
  for (const session of sessions) {
    if (isStale && session !== sessions[0] && (await isStale())) return null;
    const [first, ...names] = session.inputNames;
    const weights = Object.fromEntries(names.map((name) => [name, told[name]]));
    const results = await session.run({ ...weights, [first]: tensor });
    tensor.dispose?.();
    tensor = results[session.outputNames[0]];
  }
  const values = tensor.location === 'cpu' ? tensor.data : await tensor.getData();
  return { tensor, data: values, dims: tensor.dims };
}

function mix({ parts, seq }) {
  const found = parts.map(([id, share]) => [base.concepts.get(id), share]);
  if (found.some(([concept]) => !concept)) throw new ConceptError('A concept is not here yet.');
  told = tensors(merged(base.weights, base.slots, found));
  mixed = seq;
}

const { port1, port2 } = new MessageChannel();
/** Let messages in that have come meanwhile. */
const breath = () =>
  new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(null);
  });

/** Whether a wish for another mix has come, and was carried out. */
async function takesWish() {
  await breath();
  if (!coming) return false;
  try {
    mix(coming);
    return true;
  } catch {
    return false; // its own turn comes, and says why
  } finally {
    coming = null;
  }
}

function baseOf({ base: weights, slots }) {
  const places = new Map(slots.map((slot) => [slot.name, slot]));
  return { weights: new Float32Array(weights), slots: places, concepts: new Map() };
}

function tensors(weights) {
  const made = {};
  for (const [name, values] of weights) {
    made[name] = new ort.Tensor('float32', values, base.slots.get(name).shape);
  }
  return made;
}

function channelsOf(metadata, otherwise) {
  const channels = metadata?.shape?.[1];
  return typeof channels === 'number' && channels > 0 ? channels : otherwise;
}

function noise(count) {
  const data = new Float32Array(count);
  let state = 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state / 2 ** 31 - 1;
  }
  return data;
}

// One after the other: a session is never released under a run.
let queue = Promise.resolve();

self.onmessage = ({ data: request }) => {
  if (request.t === 'mix') coming = request;
  queue = queue.then(() => serve(request));
};

async function serve(request) {
  try {
    const { move = [], ...answer } = await deeds[request.t](request);
    self.postMessage({ n: request.n, ...answer }, move);
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    self.postMessage({ n: request.n, error: text });
  }
}
