/** A worker with a runtime in it, seen from the page. */

const BASE = new URL('/', location.href).href;
/** Milliseconds after which a worker that does not answer counts as stuck. */
export const PATIENCE = {
  start: 60_000,
  build: 60_000,
  learn: 20_000,
  quicken: 60_000,
  mix: 20_000,
  frame: 20_000,
  tensor: 30_000,
  bench: 20_000,
  clear: 10_000,
};

const modules = new Map();

/** What the worker said went wrong. */
export class SlotError extends Error {}

/**
 * Compile the WebAssembly file of a route once for all workers; null where that does not work, and
 * each worker then fetches it by itself.
 * @param {string} file
 * @returns {Promise<WebAssembly.Module | null>}
 */
export function compiled(file) {
  if (!modules.has(file)) {
    const request = fetch(`${BASE}vendor/${file}`);
    modules.set(
      file,
      WebAssembly.compileStreaming(request).catch(() => {
        modules.delete(file);
        return null;
      }),
    );
  }
  return modules.get(file);
}

/** A worker that answers requests in order. */
export class Slot {
  #worker;
  #waiting = new Map();
  #next = 1;
  #dead = '';

  /** @param {string} backend @param {{route: string, threads: number, gpu: boolean}} plan */
  constructor(backend, plan) {
    this.backend = backend;
    this.plan = plan;
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }) => this.#answered(data);
    this.#worker.onerror = (event) => {
      event.preventDefault?.();
      this.close(event.message || 'The worker could not be loaded.');
    };
  }

  /**
   * @param {string} t
   * @param {object} [fields]
   * @param {Transferable[]} [move]
   * @returns {Promise<any>}
   */
  ask(t, fields = {}, move = []) {
    if (this.#dead) return Promise.reject(new SlotError(this.#dead));
    const n = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.close(`The runtime did not answer for ${PATIENCE[t] / 1000} s.`);
      }, PATIENCE[t]);
      this.#waiting.set(n, { resolve, reject, timer });
      this.#worker.postMessage({ n, t, ...fields }, move);
    });
  }

  /** End the worker; whoever waits for it gets the reason. */
  close(why = 'The worker was ended.') {
    if (this.#dead) return;
    this.#dead = why;
    this.#worker.terminate();
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new SlotError(why));
    }
    this.#waiting.clear();
  }

  get isDead() {
    return Boolean(this.#dead);
  }

  #answered(data) {
    const waiting = this.#waiting.get(data.n);
    if (!waiting) return;
    this.#waiting.delete(data.n);
    clearTimeout(waiting.timer);
    if (data.error) waiting.reject(new SlotError(data.error));
    else waiting.resolve(data);
  }
}

/**
 * Start a worker with its runtime loaded.
 * @param {string} backend
 * @param {{route: string, threads: number, gpu: boolean, wasm: string}} plan
 * @returns {Promise<Slot>}
 */
export async function startSlot(backend, plan) {
  const slot = new Slot(backend, plan);
  try {
    const module = await compiled(plan.wasm);
    const { route, threads } = plan;
    await slot.ask('start', { wish: { route, threads, module, base: BASE } });
  } catch (error) {
    slot.close();
    throw error;
  }
  return slot;
}
