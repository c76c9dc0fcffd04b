/**
 * Loads ONNX Runtime Web inside a worker. One worker holds one runtime: its route and its number
 * of threads cannot be changed afterwards.
 */

/** Bundle and WebAssembly file of each route. */
export const ROUTES = {
  wasm: { bundle: 'ort.wasm.bundle.min.mjs', wasm: 'ort-wasm-simd-threaded.wasm' },
  jspi: { bundle: 'ort.jspi.bundle.min.mjs', wasm: 'ort-wasm-simd-threaded.jspi.wasm' },
  asyncify: { bundle: 'ort.webgpu.bundle.min.mjs', wasm: 'ort-wasm-simd-threaded.asyncify.wasm' },
};

/**
 * Let the runtime use a module that was compiled before. It hands over bytes, or a stream; what it
 * needs back is an instance. A module is shared between workers together with the machine code
 * that the browser has optimised so far, so a new worker is at full speed at once.
 * @param {WebAssembly.Module} module
 * @returns {() => void} puts the original functions back
 */
function lendModule(module) {
  const { instantiate, instantiateStreaming } = WebAssembly;
  const fromModule = async (_source, imports) => {
    const instance = await instantiate.call(WebAssembly, module, imports);
    return { instance, module };
  };
  WebAssembly.instantiate = fromModule;
  WebAssembly.instantiateStreaming = fromModule;
  return () => {
    WebAssembly.instantiate = instantiate;
    WebAssembly.instantiateStreaming = instantiateStreaming;
  };
}

/**
 * @param {{route: keyof ROUTES, threads: number, module?: WebAssembly.Module, base: string}} wish
 * @returns {Promise<object>} the runtime's module
 */
export async function loadRuntime({ route, threads, module, base }) {
  const files = ROUTES[route];
  const ort = await import(`${base}vendor/${files.bundle}`);
  // The file alone: a folder would make it fetch its glue code, which the bundle has inside.
  ort.env.wasm.wasmPaths = { wasm: `${base}vendor/${files.wasm}` };
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.proxy = false;
  ort.env.logLevel = 'error';
  if (!module) return { ort, release: () => {} };
  // Any bytes do: they keep the runtime from fetching the file a second time.
  ort.env.wasm.wasmBinary = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]).buffer;
  return { ort, release: lendModule(module) };
}

/**
 * Open a graph; the weights are copied, since others may read them too.
 * @param {object} ort
 * @param {ArrayBuffer} graph
 * @param {{weights: {path: string, data: Uint8Array}[], gpu: boolean}} model
 */
export async function createSession(ort, graph, { weights, gpu }) {
  const options = {
    executionProviders: gpu ? ['webgpu'] : ['wasm'],
    graphOptimizationLevel: 'all',
    // Measured 4 to 8 % faster in WASM, with one thread too; the GPU wants its commands in order.
    executionMode: gpu ? 'sequential' : 'parallel',
    // A pool that spins between frames takes the battery, and the time of the camera's threads.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
  const copies = weights.map(({ path, data }) => ({ path, data: data.slice() }));
  if (copies.length) options.externalData = copies;
  return ort.InferenceSession.create(new Uint8Array(graph), options);
}
