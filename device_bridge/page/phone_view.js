/** The This phone tab: checks, backends with what they were measured to take, figures. */
import { arrowKeys, byId, fillHelp, make, stepRow } from './dom.js';
import { cameraHelp, certificateHelp, lostHelp, storageHelp } from './help.js';
import { icon } from './icons.js';
import { inBytes } from './library.js';
import { routeName } from './platform.js';

export class PhoneView {
  #lastKey = '';

  /**
   * @param {{choice: object, doctor: object, stats: object, telemetry: object, link: object,
   *   camera: object, player: object, files: object, facts: object, actions: object}} parts
   *   `facts` {name, studio, allowedAt, awayMs, isMeasuring, small}; `actions` {pick, reconnect,
   *   openCamera, useSmaller}
   */
  constructor(parts) {
    Object.assign(this, parts);
    arrowKeys(byId('backends'));
    byId('certificate').hidden = location.protocol !== 'https:';
  }

  update() {
    const { facts } = this;
    byId('phone-lead').textContent = facts.studio
      ? `${facts.name}, paired with “${facts.studio}”`
      : facts.name;
    byId('phone-checks').replaceChildren(...this.#checks().map(stepRow));
    fillHelp(byId('phone-help'), this.#help());
    this.#backends();
    this.#figures();
  }

  #checks() {
    const { facts } = this;
    const reached = this.link.isOpen
      ? { state: 'ok', title: 'Studio reached', text: this.#distance() }
      : {
          state: 'failed',
          title: 'Studio not reached',
          text: facts.lostWhy || 'Trying again',
          action: { label: 'Try now', do: this.actions.reconnect },
        };
    const paired = facts.allowedAt
      ? { state: 'ok', title: 'Paired', text: `You allowed this phone at ${facts.allowedAt}` }
      : { state: 'waiting', title: 'Not paired', text: 'Installed edits work without the studio' };
    return [reached, paired, this.#camera(), this.#golden(), this.#warmth()];
  }

  #distance() {
    const { awayMs } = this.facts;
    const kind = this.link.kind === 'events' ? ', without a socket' : '';
    const far = awayMs === null ? '' : `, ${Math.max(1, Math.round(awayMs))} ms away`;
    return `${routeName()}${far}${kind}`;
  }

  #camera() {
    const check = this.doctor.checks.get('camera');
    if (this.camera.isOn) {
      const { count, rate } = this.camera;
      const sides = count > 1 ? `${count} cameras` : 'One camera';
      return { state: 'ok', title: 'Camera', text: rate ? `${sides}, ${rate} fps` : sides };
    }
    const action = { label: 'Start it', do: this.actions.openCamera };
    if (check.state === 'failed') return { state: 'failed', title: check.title, text: check.text, action };
    return { state: 'waiting', title: 'Camera', text: 'Not started', action };
  }

  #golden() {
    const { state, text } = this.doctor.checks.get('golden');
    const title = state === 'failed' ? 'Another answer than the studio' : 'Same answer as the studio';
    return { state, title, text: text || 'Compared when an edit arrives' };
  }

  #warmth() {
    const { slower } = this.telemetry;
    if (!slower) {
      const fps = this.stats.fps;
      const text = fps ? `${Math.round(fps)} fps, no slower than at the start` : 'Measured while live';
      return { state: fps ? 'ok' : 'waiting', title: 'Steady speed', text };
    }
    const action = this.actions.canShrink()
      ? { label: 'Use 192 px', do: this.actions.useSmaller }
      : null;
    const text = `Frames take ${Math.round(slower * 100)} % longer than at the start`;
    return { state: 'warn', title: 'Getting warm', text, action };
  }

  #help() {
    if (this.files.isFull) return storageHelp();
    // Sockets fail where the certificate was only clicked through: iOS.
    if (this.link.kind === 'events' && location.protocol === 'https:') return certificateHelp();
    if (!this.link.isOpen && this.facts.wasOpen) return lostHelp();
    const check = this.doctor.checks.get('camera');
    if (check.state === 'failed' && !this.camera.isOn) return cameraHelp(check.kind);
    return null;
  }

  #backends() {
    const { choice } = this;
    const chosen = this.player.live?.backend ?? choice.current;
    const times = choice.all.map((one) => choice.time(one));
    const most = Math.max(1, ...times.map((time) => time?.median_ms ?? 0));
    const key = JSON.stringify([chosen, times, choice.all, this.facts.isMeasuring]);
    if (key === this.#lastKey) return;
    this.#lastKey = key;
    const list = byId('backends');
    const hadFocus = list.contains(document.activeElement);
    list.replaceChildren(
      ...choice.all.map((backend, i) => this.#row(backend, times[i], backend === chosen, most)),
    );
    if (hadFocus) list.querySelector('[aria-checked="true"]')?.focus();
    byId('backends-note').textContent = this.#note();
    byId('measure').disabled = this.facts.isMeasuring || !this.facts.hasEdit();
    byId('measure').textContent = this.facts.isMeasuring ? 'Measuring' : choice.measured ? 'Measure again' : 'Measure';
  }

  #row(backend, time, isChosen, most) {
    const value = time?.error ? 'fails' : time ? time.median_ms.toFixed(time.median_ms < 10 ? 1 : 0) : '';
    const bar = make('i');
    bar.style.setProperty('--part', String(time && !time.error ? time.median_ms / most : 0));
    const said = time?.error ? time.error : time ? `${value} ms` : 'not measured';
    return make(
      'button',
      {
        type: 'button',
        role: 'radio',
        'aria-checked': String(isChosen),
        'aria-label': `${this.choice.name(backend)}, ${said}`,
        title: time?.error || null,
        tabindex: isChosen ? '0' : '-1',
        on: { click: () => this.actions.pick(backend) },
      },
      icon(isChosen ? 'check-circle' : 'circle-outline', 22),
      make('span', { text: this.choice.name(backend) }),
      make('span', { class: 'bar' }, bar),
      make('span', { class: 'value mono', text: value }),
    );
  }

  #note() {
    const { choice } = this;
    const by = choice.measured ? ` Measured with ${choice.measured.name}.` : '';
    if (choice.picked) return `You picked ${choice.name(choice.picked)}. Tap it again for the fastest.${by}`;
    if (choice.asked) return `The studio asks for ${choice.name(choice.asked)}.${by}`;
    if (!choice.measured) return 'Measured by itself a few seconds after the camera starts.';
    return `The fastest of this phone is used.${by}`;
  }

  #figures() {
    const { stats, telemetry, facts } = this;
    const rows = [
      ['Frame, median', stats.count ? `${stats.median.toFixed(1)} ms` : 'not live'],
      ['Frame, 95 of 100 below', stats.count ? `${stats.p95.toFixed(1)} ms` : 'not live'],
      ['Memory of the page', telemetry.heapMb ? `${Math.round(telemetry.heapMb)} MB` : 'not told'],
      ['Storage', facts.space ? `${inBytes(facts.space.usage)} used` : 'not told'],
    ];
    byId('figures').replaceChildren(
      ...rows.map(([name, value]) =>
        make('div', {}, make('dt', { text: name }), make('dd', { text: value })),
      ),
    );
  }
}
