/**
 * Gets an edit's concepts ahead, so that a tap finds them here, and compares each with a sample of
 * what the studio computed: in a worker of its own, once for a file and a backend, and never while
 * concepts are being switched.
 *
 * Events: `checked` {id, concept, backend, max_error, mean_error, ok}, `bad` {id, concept, text}.
 */
import { bytesOf, goldenOf, modelOf, movable, quickOf } from './model.js';
import { difference } from './player.js';
import { fileOf, graphsOf, quickGraphsOf } from './library.js';
import { planOf } from './ladder.js';
import { startSlot } from './slot.js';
import { Mixing } from './mixing.js';

const KEY = 'fretsaw.checked.1';
const MOST_KEPT = 600;
const CALM_MS = 1500;
const ROLES = ['adapter', 'thumb', 'blend', 'golden'];

const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Prefetch extends EventTarget {
  #ticket = 0;
  #checked = new Set();

  /** @param {{files: object, library: object, player: object, thumbs: object, loop: object,
   *   switcher: object}} parts */
  constructor(parts) {
    super();
    Object.assign(this, parts);
    try {
      this.#checked = new Set(JSON.parse(localStorage.getItem(KEY)) ?? []);
    } catch {
      // Nothing was kept: all are compared again.
    }
  }

  /** The edit is on the screen: get its concepts, and compare them. */
  async begin(id) {
    const { live } = this.player;
    if (live?.id !== id || !live.mix) return;
    const { offer, backend } = live;
    const ticket = ++this.#ticket;
    const isWanted = () => ticket === this.#ticket && this.library.get(id)?.offer === offer;
    try {
      await this.#fetch(offer, isWanted);
      if (live.slot && isWanted()) await this.#learn(live);
      if (live.slot && isWanted()) await this.#quicken(live);
      if (live.slot && isWanted()) await this.#check(offer, backend, isWanted);
    } catch {
      // A tap on the concept fetches it then, and says what is wrong.
    }
  }

  async #fetch(offer, isWanted) {
    const spare = async () => this.library.unneeded(await this.files.held());
    for (const file of quickGraphsOf(offer)) await this.files.get(file, () => {}, spare);
    for (const role of ROLES) {
      for (const concept of offer.concepts.concepts) {
        const file = fileOf(concept, role);
        if (!file) continue;
        await this.files.get(file, () => {}, spare);
        if (role === 'thumb') this.thumbs.url(concept);
        if (!isWanted()) return;
      }
    }
  }

  async #learn({ slot, offer }) {
    const ids = offer.concepts.concepts.map((one) => one.id);
    await this.player.mixing.learn(slot, offer, ids);
  }

  /** Let the worker show a smaller picture first after a switch; a GPU needs no such thing. */
  async #quicken({ slot, offer }) {
    if (slot.plan.gpu) return;
    const model = await quickOf(this.files, offer);
    if (model) await slot.ask('quicken', { model }, movable(model));
  }

  async #check(offer, backend, isWanted) {
    const wanted = offer.concepts.concepts.filter(
      (one) => fileOf(one, 'golden') && !this.#checked.has(mark(offer, one, backend)),
    );
    if (!wanted.length) return;
    await this.#calm();
    const slot = await startSlot(backend, planOf(backend));
    const mixing = new Mixing(this.files);
    try {
      const model = await modelOf(this.files, offer, slot.plan.gpu);
      const { input, output } = offer;
      const { channels } = await slot.ask('build', { model, input, output }, movable(model));
      for (const concept of wanted) {
        await this.#calm();
        if (!isWanted()) return;
        await this.#compare(slot, mixing, { offer, concept, backend, channels });
      }
    } finally {
      slot.close();
    }
  }

  async #compare(slot, mixing, { offer, concept, backend, channels }) {
    await mixing.set(slot, offer, { first: concept.id });
    const { data: values, shape } = await goldenOf(this.files, offer, channels);
    const { data, shape: made } = await slot.ask('tensor', { data: values, shape });
    const expected = new Float32Array(await bytesOf(this.files, fileOf(concept, 'golden')));
    const { max, mean } = difference(sampled(data, made, concept.step), expected);
    const ok = max <= offer.tolerance && expected.length > 0;
    const detail = { id: offer.id, concept: concept.id, backend, max_error: max, mean_error: mean, ok };
    this.dispatchEvent(new CustomEvent('checked', { detail }));
    if (ok) this.#keep(mark(offer, concept, backend));
    else this.#bad(offer, concept, max);
  }

  #bad(offer, concept, max) {
    const text =
      `This phone's answer for ${concept.name} differs from the studio's by ` +
      `${max.toPrecision(2)}, ${offer.tolerance} is allowed.`;
    this.dispatchEvent(
      new CustomEvent('bad', { detail: { id: offer.id, concept: concept.id, text } }),
    );
  }

  /** Wait until nobody switches, and the page is seen. */
  async #calm() {
    while (performance.now() - this.switcher.wishedAt < CALM_MS || document.hidden) await rest(200);
  }

  #keep(key) {
    this.#checked.add(key);
    const kept = [...this.#checked].slice(-MOST_KEPT);
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // It lasts as long as the page.
    }
  }
}

/** What was compared: a graph, a concept's file, and who computed. */
function mark(offer, concept, backend) {
  const hashes = [...graphsOf(offer), fileOf(offer, 'weights'), fileOf(concept, 'adapter')];
  return [...hashes.map((file) => file.sha256.slice(0, 12)), backend].join(':');
}

/** Every so many-th value of the rows and columns of (1, C, H, W). */
export function sampled(data, [, channels, height, width], step) {
  const rows = Math.ceil(height / step);
  const columns = Math.ceil(width / step);
  const out = new Float32Array(channels * rows * columns);
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y += step) {
      for (let x = 0; x < width; x += step) out[at++] = data[(c * height + y) * width + x];
    }
  }
  return out;
}
