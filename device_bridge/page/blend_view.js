/** Under the picture: the slider that blends the concept with a second one, and who that is. */
import { byId, make } from './dom.js';
import { conceptOf, conceptsOf, mixFor, secondOf } from './mix.js';

export class BlendView {
  #key = '';

  /** @param {{library: object, onMix: (id: string, mix: object) => void}} parts */
  constructor(parts) {
    Object.assign(this, parts);
    this.slider = byId('blend');
    this.select = byId('blend-with');
    this.slider.addEventListener('input', () => this.#changed());
    this.slider.addEventListener('change', () => this.#changed());
    this.select.addEventListener('change', () => this.#changed());
  }

  #changed() {
    const { library, select, slider } = this;
    const edit = library.get(library.current);
    if (!edit?.offer?.concepts) return;
    const { first } = mixFor(edit.offer, edit.mix);
    const share = Number(slider.value) / 100;
    this.#value(edit.offer, select.value, share);
    this.onMix(library.current, { first, second: select.value, share });
  }

  /** Draw it anew; hidden where there is nothing to blend. */
  update() {
    const { library, select, slider } = this;
    const edit = library.get(library.current);
    const all = conceptsOf(edit?.offer);
    const isShown = all.length > 1;
    byId('blend-row').hidden = !isShown;
    byId('blend-pick').hidden = !isShown;
    if (!isShown) return;
    const mix = mixFor(edit.offer, edit.mix);
    const second = secondOf(edit.offer, mix);
    const others = all.filter((one) => one.id !== mix.first);
    const key = others.map((one) => one.id + one.name).join();
    if (key !== this.#key) {
      this.#key = key;
      select.replaceChildren(...others.map((one) => make('option', { value: one.id, text: one.name })));
    }
    select.value = second;
    const share = mix.second ? mix.share : 0;
    if (document.activeElement !== slider || Number(slider.value) !== Math.round(share * 100)) {
      slider.value = String(Math.round(share * 100));
    }
    this.#value(edit.offer, second, share);
  }

  #value(offer, second, share) {
    const percent = Math.round(share * 100);
    const name = conceptOf(offer, second)?.name ?? '';
    this.slider.style.setProperty('--fill', `${percent}%`);
    this.slider.setAttribute('aria-valuetext', `${percent} % ${name}`);
    byId('blend-value').textContent = `${percent} %`;
  }
}
