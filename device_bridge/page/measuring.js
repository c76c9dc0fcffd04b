/** Measures backends with an installed edit on this very phone, each in a worker of its own. */
import { percentile, round } from './stats.js';
import { planOf } from './ladder.js';
import { startSlot } from './slot.js';
import { explained } from './player.js';
import { modelOf, movable } from './model.js';

const LIMIT_MS = 6000;
const DESKTOP_RUNS = 10;

/**
 * @param {{files: object, desktop: object, offer: object, backends: string[], runs: number,
 *   warmup: number, onTime?: (time: object) => void}} wish
 * @returns {Promise<object[]>} one entry a backend, as the protocol wants it
 */
export async function measure(wish) {
  const times = [];
  for (const backend of wish.backends) {
    let time;
    try {
      const samples =
        backend === 'desktop' ? await desktopTimes(wish) : await localTimes(backend, wish);
      time = summary(backend, samples);
    } catch (error) {
      const text = explained(String(error.message), wish.offer.name).message.slice(0, 400);
      time = { backend, median_ms: 0, p90_ms: 0, samples: [], error: text };
    }
    times.push(time);
    wish.onTime?.(time);
  }
  return times;
}

function summary(backend, samples) {
  if (!samples.length) throw new Error('no run came to its end');
  return {
    backend,
    median_ms: round(percentile(samples, 0.5)),
    p90_ms: round(percentile(samples, 0.9)),
    samples: samples.slice(0, 500).map(round),
  };
}

async function localTimes(backend, { files, offer, runs, warmup }) {
  const slot = await startSlot(backend, planOf(backend));
  try {
    const model = await modelOf(files, offer, slot.plan.gpu);
    const { input, output } = offer;
    const loaded = await slot.ask('build', { model, input, output }, movable(model));
    const shape = [1, loaded.channels[0], input.height, input.width];
    const answer = await slot.ask('bench', { shape, runs, warmup, limit_ms: LIMIT_MS });
    return answer.samples;
  } finally {
    slot.close();
  }
}

/** From picture to picture: what a frame over the desktop takes is what the person sees. */
async function desktopTimes({ desktop, offer, runs }) {
  const canvas = document.createElement('canvas');
  canvas.width = offer.input.width;
  canvas.height = offer.input.height;
  const context = canvas.getContext('2d');
  context.fillStyle = 'gray';
  context.fillRect(0, 0, canvas.width / 2, canvas.height);
  const samples = [];
  const began = performance.now();
  for (let i = 0; i < Math.min(runs, DESKTOP_RUNS) + 1; i++) {
    const from = performance.now();
    const { bitmap } = await desktop.process(canvas);
    bitmap.close();
    if (i) samples.push(performance.now() - from);
    if (performance.now() - began > LIMIT_MS && samples.length) break;
  }
  return samples;
}
