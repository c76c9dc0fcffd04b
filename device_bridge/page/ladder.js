/** What this phone can compute with: the backends, what each needs, and which one is used. */
import { ROUTES } from './runtime.js';
import { isApple } from './platform.js';

export const NAMES = {
  'wasm-1': 'WASM, 1 thread',
  'wasm-2': 'WASM, 2 threads',
  'wasm-4': 'WASM, 4 threads',
  webgpu: 'WebGPU',
  desktop: 'The desktop',
};

/**
 * Look at what the browser offers; nothing is loaded.
 * @returns {Promise<{threads: boolean, cores: number, gpu: object | null}>}
 */
export async function capabilities() {
  const cores = Math.max(1, navigator.hardwareConcurrency || 1);
  const threads = globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === 'function';
  return { threads, cores, gpu: await adapter() };
}

async function adapter() {
  try {
    const found = await Promise.race([
      navigator.gpu?.requestAdapter(),
      new Promise((resolve) => setTimeout(resolve, 3000)),
    ]);
    if (!found) return null;
    const info = found.info ?? {};
    return {
      vendor: String(info.vendor ?? '').slice(0, 100),
      arch: String(info.architecture ?? '').slice(0, 100),
      f16: found.features.has('shader-f16'),
      fallback: Boolean(info.isFallbackAdapter ?? found.isFallbackAdapter),
    };
  } catch {
    return null;
  }
}

/**
 * The backends of this phone in the order in which they are tried.
 * @param {{threads: boolean, cores: number, gpu: object | null}} can
 * @returns {string[]}
 */
export function backendsOf(can) {
  const found = ['wasm-1'];
  if (can.threads && can.cores >= 2) found.push('wasm-2');
  if (can.threads && can.cores >= 4) found.push('wasm-4');
  if (can.gpu) found.push('webgpu');
  return [...found, 'desktop'];
}

/**
 * The backends that are measured without being asked for. WebGPU on Apple devices has leaked and
 * crashed, and a software adapter takes seconds a frame: both are only used when picked by hand.
 */
export function measuredAlone(can) {
  const isRisky = isApple() || can.gpu?.fallback;
  return backendsOf(can).filter((one) => one !== 'desktop' && !(one === 'webgpu' && isRisky));
}

/** What a worker needs to be told to be this backend. */
export function planOf(backend) {
  const gpu = backend === 'webgpu';
  const route = gpu ? ('Suspending' in WebAssembly ? 'jspi' : 'asyncify') : 'wasm';
  const threads = gpu ? 1 : Number(backend.split('-')[1]);
  return { route, threads, gpu, wasm: ROUTES[route].wasm };
}

/** The fastest of measured times, or null. */
export function fastest(times) {
  const good = times.filter((time) => !time.error && time.samples.length);
  good.sort((a, b) => a.median_ms - b.median_ms);
  return good[0]?.backend ?? null;
}
