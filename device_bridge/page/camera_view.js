/** The Camera tab: stage with split and hold, strength, strip of edits, shutter. */
import { arrowKeys, byId, make, thumb } from './dom.js';
import { BlendView } from './blend_view.js';
import { conceptsOf, mixFor, shownName } from './mix.js';
import { epochOf } from './library.js';

const KEY_STEP = 0.05;
const SLOW_FPS = 12;
const SWIPE = { pixels: 44, ms: 600 };

export class CameraView {
  /**
   * @param {{stage: object, choice: object, library: object, thumbs: object, player: object,
   *   onPick: (id: string, concept?: string) => void, onStrength: () => void,
   *   onMix: (id: string, mix: object) => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.box = byId('stage');
    this.handle = byId('split');
    this.#bindSplit();
    this.#bindHold();
    this.#bindStrength();
    arrowKeys(byId('strip'));
    this.blend = new BlendView({ library: this.library, onMix: this.onMix });
    new ResizeObserver(() => this.fit()).observe(this.box);
    this.setSplit(this.choice.split);
    this.setStrength(this.choice.strength);
  }

  fit() {
    this.stage.fit(this.box.clientWidth * Math.min(2, devicePixelRatio));
  }

  setSplit(part) {
    const split = Math.min(1, Math.max(0, part));
    this.choice.split = split;
    this.stage.split = split;
    this.box.style.setProperty('--split', split.toFixed(4));
    const percent = Math.round(split * 100);
    this.handle.setAttribute('aria-valuenow', String(percent));
    this.handle.setAttribute('aria-valuetext', `camera on ${percent} % of the picture`);
    byId('label-before').hidden = split < 0.28;
    byId('label-after').hidden = split > 0.72 || !this.player.live;
    this.stage.paint();
  }

  setStrength(strength) {
    this.choice.strength = strength;
    this.stage.strength = strength;
    const percent = Math.round(strength * 100);
    const slider = byId('strength');
    slider.value = String(percent);
    slider.style.setProperty('--fill', `${percent}%`);
    byId('strength-value').textContent = `${percent} %`;
    this.stage.paint();
  }

  #bindSplit() {
    const { handle } = this;
    const move = (event) => {
      const box = this.box.getBoundingClientRect();
      this.setSplit((event.clientX - box.left) / box.width);
    };
    handle.addEventListener('pointerdown', (event) => {
      handle.setPointerCapture(event.pointerId);
      move(event);
    });
    handle.addEventListener('pointermove', (event) => {
      if (handle.hasPointerCapture(event.pointerId)) move(event);
    });
    handle.addEventListener('pointerup', () => this.choice.changed());
    handle.addEventListener('keydown', (event) => {
      const { split } = this.choice;
      const to = {
        ArrowLeft: split - KEY_STEP,
        ArrowDown: split - KEY_STEP,
        ArrowRight: split + KEY_STEP,
        ArrowUp: split + KEY_STEP,
        Home: 0,
        End: 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.setSplit(to);
      this.choice.changed();
    });
  }

  /** Press the picture: before. Let go: after. A quick swipe: the next concept. */
  #bindHold() {
    const button = byId('hold');
    let from = null;
    const hold = (isHeld) => {
      this.stage.isHeld = isHeld;
      this.box.classList.toggle('is-held', isHeld);
      byId('label-after').textContent = isHeld ? 'Before' : this.#name;
      this.stage.paint();
    };
    button.addEventListener('pointerdown', (event) => {
      button.setPointerCapture(event.pointerId);
      from = { x: event.clientX, y: event.clientY, at: event.timeStamp };
      hold(true);
    });
    button.addEventListener('pointermove', (event) => {
      if (!from || event.timeStamp - from.at > SWIPE.ms) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (Math.abs(dx) < SWIPE.pixels || Math.abs(dx) < 2 * Math.abs(dy)) return;
      from = null;
      hold(false);
      this.#step(dx < 0 ? 1 : -1);
    });
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture', 'blur']) {
      button.addEventListener(end, () => hold(false));
    }
    button.addEventListener('keydown', ({ key, repeat }) => {
      if ((key === ' ' || key === 'Enter') && !repeat) hold(true);
    });
    button.addEventListener('keyup', () => hold(false));
    button.addEventListener('contextmenu', (event) => event.preventDefault());
  }

  #bindStrength() {
    const slider = byId('strength');
    slider.addEventListener('input', () => this.setStrength(Number(slider.value) / 100));
    slider.addEventListener('change', () => {
      this.choice.changed();
      this.onStrength();
    });
  }

  get #name() {
    return shownName(this.library.get(this.library.current));
  }

  /** The concept beside the one that is shown. */
  #step(by) {
    const { current } = this.library;
    const edit = this.library.get(current);
    const all = conceptsOf(edit?.offer).filter((one) => !edit.bad[one.id]);
    if (all.length < 2) return;
    const at = all.findIndex((one) => one.id === mixFor(edit.offer, edit.mix).first);
    this.onPick(current, all[(at + by + all.length) % all.length].id);
  }

  /** Draw name, note and strip anew. */
  update() {
    const { library } = this;
    const edit = library.get(library.current);
    byId('edit-name').textContent = this.#name || 'No edit yet';
    byId('edit-note').textContent = this.#note(edit);
    byId('edit-note').hidden = conceptsOf(edit?.offer).length > 1 && !edit.coming;
    this.blend.update();
    byId('label-after').textContent = this.#name;
    byId('label-after').hidden = !this.player.live || this.choice.split > 0.72;
    byId('strength').disabled = !edit?.offer;
    byId('shutter').disabled = !this.stage.hasEdit;
    byId('share').disabled = !this.stage.hasEdit;
    this.#strip();
  }

  #note(edit) {
    if (!edit?.offer) return 'Push one in the studio';
    if (edit.coming) {
      const total = edit.coming.files.reduce((sum, file) => sum + file.bytes, 0);
      return `${Math.floor((100 * edit.done) / Math.max(1, total))} % of the new version`;
    }
    const { note, following } = edit.offer;
    const at = epochOf(note);
    if (following && at) return `following training, epoch ${at.epoch}`;
    return edit.desktop ? 'computed on the desktop' : note;
  }

  /** What can be chosen: edits, and in the place of one with concepts all of these. */
  #choices() {
    const { library } = this;
    return [...library.edits]
      .filter(([, edit]) => edit.offer)
      .flatMap(([id, edit]) => {
        const isLive = id === library.current;
        const all = conceptsOf(edit.offer);
        if (!all.length) return [{ id, concept: '', from: edit.offer, isLive, isOff: false }];
        const { first } = mixFor(edit.offer, edit.mix);
        return all.map((one) => ({
          ...{ id, concept: one.id, from: one, isLive: isLive && one.id === first },
          isOff: Boolean(edit.bad[one.id]),
        }));
      });
  }

  #strip() {
    const strip = byId('strip');
    const shown = this.#choices();
    const key = shown
      .map(({ id, concept, from, isLive, isOff }) =>
        [id, concept, from.name, this.thumbs.url(from), isLive, isOff].join(),
      )
      .join(';');
    if (strip.dataset.key === key) return;
    const hadFocus = strip.contains(document.activeElement);
    strip.dataset.key = key;
    strip.replaceChildren(
      ...shown.map(({ id, concept, from, isLive, isOff }) =>
        make(
          'button',
          {
            type: 'button',
            role: 'radio',
            'aria-checked': String(isLive),
            'aria-label': from.name,
            tabindex: isLive ? '0' : '-1',
            disabled: isOff,
            on: { click: () => this.onPick(id, concept) },
          },
          thumb(this.thumbs.url(from), from.name),
          make('span', { class: 'name', text: from.name }),
        ),
      ),
    );
    if (!shown.length) {
      strip.append(make('p', { class: 'small-text', text: 'Edits appear here when the studio pushes them.' }));
    }
    const chosen = strip.querySelector('[aria-checked="true"]');
    if (hadFocus) chosen?.focus();
    // Not scrollIntoView: that would move the whole page as well.
    if (chosen) strip.scrollLeft = chosen.offsetLeft - (strip.clientWidth - chosen.offsetWidth) / 2;
  }

  /** Show the pace, once a second; a photo has none. */
  pace(stats, isPaused, isStill) {
    const pill = byId('pace');
    const { fps } = stats;
    pill.hidden = !stats.count;
    pill.dataset.state = isPaused || !fps ? 'off' : fps < SLOW_FPS ? 'slow' : 'good';
    const rate = `${fps < 9.95 ? fps.toFixed(1) : Math.round(fps)} fps`;
    byId('pace-fps').textContent = isStill ? 'Photo' : isPaused ? 'Measuring' : rate;
    byId('pace-ms').textContent = `${Math.round(stats.median)} ms`;
  }

  /** A line over the picture; empty takes it away. */
  notice(text) {
    byId('notice').textContent = text;
    byId('notice').hidden = !text;
  }

  /** What is said where there is no picture yet; null shows the picture. */
  empty(words) {
    byId('stage-empty').hidden = !words;
    if (!words) return;
    byId('stage-empty-text').textContent = words.text;
    byId('stage-start').hidden = !words.canStart;
    byId('stage-start').lastChild.textContent = words.start ?? 'Start the camera';
  }
}
