/** The steps from an opened page to the studio's own answer, each with what came of it. */

/** The protocol's words for the steps, in order. */
export const STEPS = [
  'page',
  'code',
  'allowed',
  'secure',
  'camera',
  'backend',
  'memory',
  'model',
  'golden',
];

/** Events: `change`. */
export class Doctor extends EventTarget {
  #link;
  /** @type {Map<string, {state: string, text: string, kind?: string}>} */
  checks = new Map(STEPS.map((step) => [step, { state: 'waiting', text: '' }]));

  /** @param {import('./link.js').Link} link */
  constructor(link) {
    super();
    this.#link = link;
  }

  /**
   * @param {string} step
   * @param {'ok' | 'failed' | 'waiting' | 'skipped'} state
   * @param {string} [text]
   * @param {object} [more] what only the page needs
   */
  report(step, state, text = '', more = {}) {
    const before = this.checks.get(step);
    if (before.state === state && before.text === text) return;
    this.checks.set(step, { state, text, ...more });
    this.#link.say('check', { step, state, text: text.slice(0, 400) });
    this.dispatchEvent(new Event('change'));
  }

  /** Tell the studio all of it: the channel is new. */
  repeat() {
    for (const [step, { state, text }] of this.checks) {
      if (state !== 'waiting') this.#link.say('check', { step, state, text: text.slice(0, 400) });
    }
  }

  /** Look at what needs no permission and no model. */
  lookAround() {
    const secure = globalThis.isSecureContext && Boolean(globalThis.crypto?.subtle);
    if (secure) this.report('secure', 'ok', 'This address is secure');
    else this.report('secure', 'failed', 'This address is not secure: no camera, no storage');
    const memory = navigator.deviceMemory;
    if (!memory) this.report('memory', 'skipped', 'This browser does not tell');
    else if (memory >= 2) this.report('memory', 'ok', `${memory} GB or more`);
    else this.report('memory', 'failed', `${memory} GB: large edits may not fit`);
  }
}
