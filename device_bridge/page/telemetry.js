/** Once a second: how fast, how warm, how full; told to the studio and shown on the phone. */
import { mixFields } from './mix.js';
import { percentile, round } from './stats.js';

const SECOND_MS = 1000;
const SETTLED_S = 3;
const BASE_S = 13;
const WARM_AFTER_S = 60;
const WARM_BY = 1.1;

/** Events: `second`. */
export class Telemetry extends EventTarget {
  #seq = 0;
  #seconds = [];
  #live = null;
  #battery = null;
  /** Part by which frames have become slower since the beginning, or 0. */
  slower = 0;

  /** @param {{link: object, stats: object, player: object}} parts */
  constructor(parts) {
    super();
    Object.assign(this, parts);
    navigator.getBattery?.().then(
      (battery) => {
        this.#battery = battery;
      },
      () => {},
    );
    setInterval(() => this.#second(), SECOND_MS);
  }

  get heapMb() {
    const bytes = performance.memory?.usedJSHeapSize;
    return bytes ? round(bytes / 1e6) : null;
  }

  #second() {
    const ms = this.stats.take();
    this.#watch(ms);
    this.dispatchEvent(new Event('second'));
    if (!ms && !document.hidden) return;
    const { live } = this.player;
    const fields = {
      seq: this.#seq++,
      fps: round(this.stats.fps),
      ms: ms ?? {},
      sent: this.stats.sent,
      skipped: this.stats.skipped,
      visible: !document.hidden,
    };
    if (live) Object.assign(fields, { id: live.id, backend: live.backend });
    if (live?.mix) fields.concept = mixFields(live.mix);
    if (this.heapMb) fields.heap_mb = this.heapMb;
    if (this.#battery) fields.battery = this.#battery.level;
    this.link.say('tel', fields);
  }

  /** A phone that gets warm computes slower after a minute than in its first seconds. */
  #watch(ms) {
    if (this.player.live?.slot !== this.#live) {
      this.#live = this.player.live?.slot;
      this.#seconds = [];
      this.slower = 0;
    }
    if (!ms?.run) return;
    this.#seconds.push(ms.run.p50);
    const all = this.#seconds;
    if (all.length > 3600) all.splice(BASE_S, 600);
    if (all.length < WARM_AFTER_S) return;
    const first = percentile(all.slice(SETTLED_S, BASE_S), 0.5);
    const last = percentile(all.slice(-10), 0.5);
    this.slower = last > first * WARM_BY ? last / first - 1 : 0;
  }
}
