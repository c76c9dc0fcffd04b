/**
 * Switches concepts of an edit, and blends two of them: the wish of the person or of the studio
 * reaches the worker between two pictures, and the next picture shows it. The newest wish wins.
 *
 * Events: `shown` {id, mix, switch_ms}, `problem` {id, text, stage}.
 */
import { conceptsOf, isSameMix, mixFields, mixFor, whyNot } from './mix.js';

const SAY_MS = 100;

export class Switcher extends EventTarget {
  /** Wishes for edits that are not here yet, by the edit's id. */
  #early = new Map();
  #waiting = null;
  /** What was shown by a smaller picture first, until a whole one is on the screen. */
  #coarse = null;
  #said = 0;
  #later = 0;
  #desktopSeq = 0;
  /** When the person or the studio last wished for something. */
  wishedAt = -Infinity;

  /** @param {{link: object, files: object, library: object, player: object, loop: object,
   *   stats: object, choice: object, desktop: object, installer: object}} parts */
  constructor(parts) {
    super();
    Object.assign(this, parts);
    this.loop.addEventListener('frame', ({ detail }) => this.#painted(detail));
    this.link.addEventListener('open', () => {
      this.#said = 0;
    });
    this.installer.addEventListener('installed', ({ detail }) => this.#installed(detail.id));
    this.installer.addEventListener('ready', ({ detail }) => this.#ready(detail.id));
  }

  /** The studio's wish. */
  async asked({ id, first, second = '', share = 0 }) {
    const edit = this.library.get(id);
    const mix = { first, ...(second ? { second, share } : {}) };
    if (!edit?.offer || edit.coming) {
      this.#early.set(id, mix);
      return;
    }
    await this.show(id, mix, 'studio');
  }

  /**
   * Show a mix of an edit's concepts.
   * @param {string} id
   * @param {{first: string, second?: string, share?: number}} mix
   * @param {'phone' | 'studio'} [by]
   */
  async show(id, mix, by = 'phone') {
    const began = performance.now();
    const { offer } = this.library.get(id) ?? {};
    const problem = offer ? whyNot(offer, mix) : 'This edit is not here.';
    if (problem) {
      this.#tell(id, problem);
      return;
    }
    this.wishedAt = began;
    const edit = this.library.get(id);
    const before = edit.mix;
    edit.mix = mix;
    const { live } = this.player;
    if (this.library.current !== id || live?.id !== id) {
      this.#waiting = { id, mix, by, began, seq: 0 };
      await this.installer.play(id, began);
      return;
    }
    if (!this.#waiting) this.stats.watchGap();
    const waiting = { id, mix, by, began, seq: Infinity };
    this.#waiting = waiting;
    // The worker first: what follows on the page takes its time while the picture is computed.
    const applied = this.#apply(live, mix, waiting);
    setTimeout(() => this.library.changed());
    try {
      await applied;
    } catch (error) {
      if (isSameMix(edit.mix, mix)) edit.mix = before;
      if (this.#waiting === waiting) this.#waiting = null;
      this.library.changed();
      this.#tell(id, error.message);
    }
  }

  async #apply(live, mix, waiting) {
    if (live.slot) {
      if (!this.player.mixing.knows(live.slot, live.offer, mix)) {
        await this.installer.fetchConcepts(live.offer, mix);
      }
      waiting.seq = this.player.mixing.next();
      const mixed = this.player.mix(mix, waiting.seq);
      if (this.loop.isRunning) this.loop.hurry();
      await mixed;
      if (!this.loop.isRunning) this.loop.refresh();
      return;
    }
    // The server merges: it hears of the mix before it sees the next picture.
    this.sayChosen(live.id, mix);
    waiting.seq = this.desktop.mix = ++this.#desktopSeq;
    await this.player.mix(mix, 0);
    this.loop.hurry();
  }

  sayChosen(id, mix) {
    const { strength } = this.choice;
    this.link.say('chosen', { id, strength, ...(mix ? { concept: mixFields(mix) } : {}) });
  }

  #installed(id) {
    const wish = this.#early.get(id);
    if (!wish) return;
    this.#early.delete(id);
    const edit = this.library.get(id);
    const problem = whyNot(edit.offer, wish);
    if (problem) this.#tell(id, problem);
    else if (this.library.current === id || edit.offer.show) edit.mix = wish;
    else this.show(id, wish, 'studio');
  }

  /** The edit itself is on the screen, so its concept is. */
  #ready(id) {
    const { live } = this.player;
    if (live?.id !== id || !live.mix) return;
    const waiting = this.#waiting?.id === id ? this.#waiting : null;
    if (waiting && !isSameMix(waiting.mix, live.mix)) return;
    this.#waiting = null;
    const times = waiting ? this.#times(waiting) : {};
    this.#say({ ...(waiting ?? { by: 'phone' }), id, mix: live.mix }, times);
  }

  #painted({ live, mix: seq, isQuick }) {
    if (!isQuick) this.#sharpened(live, seq);
    const waiting = this.#waiting;
    if (!waiting || waiting.id !== live.id || this.player.live !== live) return;
    if (!waiting.seq || seq < waiting.seq) return;
    this.#waiting = null;
    const times = { ...this.#times(waiting), is_quick: isQuick };
    this.#coarse = isQuick ? { waiting, times } : null;
    this.#say(waiting, times);
  }

  /** The whole picture of what came as a smaller one first. */
  #sharpened(live, seq) {
    const { waiting, times } = this.#coarse ?? {};
    if (!waiting || seq < waiting.seq) return;
    this.#coarse = null;
    if (this.#waiting || waiting.id !== live.id || this.player.live !== live) return;
    this.#say(waiting, { ...times, sharp_ms: performance.now() - waiting.began });
  }

  #times({ began }) {
    return { switch_ms: performance.now() - began, gap_ms: this.stats.longestGap() };
  }

  #say({ id, mix, by }, times = {}) {
    const now = performance.now();
    const { backend } = this.player.live;
    const fields = { id, ...mixFields(mix), backend, by, ...times };
    this.dispatchEvent(new CustomEvent('shown', { detail: { ...fields, mix } }));
    clearTimeout(this.#later);
    const wait = this.#said + SAY_MS - now;
    const say = () => {
      this.#said = performance.now();
      this.link.say('concept', fields);
    };
    // A slider that is dragged tells 10 times a second, and its end always.
    if (wait > 0) this.#later = setTimeout(say, wait);
    else say();
  }

  /** After the connection came back: what is on the screen. */
  repeat() {
    const { live } = this.player;
    if (live?.mix && !live.slot) this.sayChosen(live.id, live.mix);
    if (live?.mix) this.#say({ id: live.id, mix: live.mix, by: 'phone' });
  }

  /** A concept that this phone computes wrongly is not shown any more. */
  turnOff({ id, concept, text }) {
    const edit = this.library.get(id);
    if (!edit) return;
    edit.bad[concept] = text;
    this.link.say('failed', { id, stage: 'golden', text: text.slice(0, 400) });
    this.dispatchEvent(new CustomEvent('problem', { detail: { id, stage: 'golden', text } }));
    const mix = mixFor(edit.offer, edit.mix);
    const good = conceptsOf(edit.offer).find((one) => !edit.bad[one.id]);
    const isShown = mix.first === concept || mix.second === concept;
    if (isShown && good) this.show(id, { first: good.id });
    else this.library.changed();
  }

  #tell(id, text) {
    this.link.say('failed', { id, stage: 'concept', text: text.slice(0, 400) });
    this.dispatchEvent(new CustomEvent('problem', { detail: { id, stage: 'concept', text } }));
  }

}
