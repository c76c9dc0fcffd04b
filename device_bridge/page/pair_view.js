/** The pairing screen: six boxes, the steps, one help card, one way round. */
import { byId, fillHelp, make, stepRow } from './dom.js';

const LENGTH = 6;

export class PairView {
  #boxes = [];
  #isWrong = false;

  /** @param {{onCode: (code: string) => void, onGo: () => void, onPhoto: () => void}} handlers */
  constructor(handlers) {
    this.root = byId('pair');
    this.handlers = handlers;
    this.#build();
    byId('pair-go').addEventListener('click', () => handlers.onGo());
    byId('pair-photo').addEventListener('click', () => handlers.onPhoto());
  }

  #build() {
    const holder = byId('code-boxes');
    for (let i = 0; i < LENGTH; i++) {
      if (i === LENGTH / 2) holder.append(make('span', { 'aria-hidden': 'true' }));
      const box = make('input', {
        type: 'text',
        inputmode: 'text',
        autocapitalize: 'characters',
        autocomplete: i ? 'off' : 'one-time-code',
        spellcheck: 'false',
        enterkeyhint: i === LENGTH - 1 ? 'go' : 'next',
        'aria-label': `Character ${i + 1} of ${LENGTH}`,
        on: {
          input: () => this.#typed(i),
          keydown: (event) => this.#key(event, i),
          paste: (event) => this.#pasted(event, i),
          focus: () => box.select(),
        },
      });
      this.#boxes.push(box);
      holder.append(box);
    }
    byId('code-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** One character stays, more spread over the boxes to the right. */
  #fill(text, from) {
    const letters = [...text.toUpperCase().replace(/[^0-9A-Z]/g, '')];
    for (const [i, letter] of letters.entries()) {
      if (from + i < LENGTH) this.#boxes[from + i].value = letter;
    }
    const next = Math.min(LENGTH - 1, from + letters.length);
    this.#boxes[next].focus();
    if (this.#code().length === LENGTH) this.#send();
  }

  #typed(i) {
    const text = this.#boxes[i].value;
    if (this.#isWrong) {
      for (const box of this.#boxes) box.value = '';
      i = 0;
    }
    this.showError('');
    this.#boxes[i].value = '';
    if (text) this.#fill(text, i);
  }

  #pasted(event, i) {
    event.preventDefault();
    this.#fill(event.clipboardData.getData('text'), i);
  }

  #key(event, i) {
    const { key } = event;
    if (key === 'Backspace' && !this.#boxes[i].value && i) {
      event.preventDefault();
      this.#boxes[i - 1].value = '';
      this.#boxes[i - 1].focus();
    } else if (key === 'ArrowLeft' && i) this.#boxes[i - 1].focus();
    else if (key === 'ArrowRight' && i < LENGTH - 1) this.#boxes[i + 1].focus();
  }

  #code() {
    return this.#boxes.map((box) => box.value).join('');
  }

  #send() {
    const code = this.#code();
    if (code.length === LENGTH) this.handlers.onCode(code);
    else this.showError('The code has six characters.');
  }

  /** Show a sentence below the boxes; the code stays as typed until the next key. */
  showError(text) {
    byId('code-error').textContent = text;
    byId('code-error').hidden = !text;
    this.#isWrong = Boolean(text) && this.#code().length === LENGTH;
    byId('code-boxes').classList.toggle('is-wrong', Boolean(text));
    if (text) this.#boxes[0].focus();
  }

  /** Whether a code is wanted; else the boxes are out of the way. */
  wantCode(isWanted) {
    byId('code-form').hidden = !isWanted;
    for (const box of this.#boxes) box.disabled = false;
    if (isWanted && matchMedia('(pointer: fine)').matches) this.#boxes[0].focus();
  }

  /** While the code is on its way it cannot be changed. */
  wait() {
    for (const box of this.#boxes) box.disabled = true;
  }

  /** @param {{lead: string, steps: object[], help: object | null, go: string, photo: boolean,
   *   certificate?: boolean}} state */
  show({ lead, steps, help, go, photo, certificate = false }) {
    byId('pair-lead').textContent = lead;
    byId('pair-steps').replaceChildren(...steps.map(stepRow));
    fillHelp(byId('pair-help'), help);
    byId('pair-certificate').hidden = !certificate;
    byId('pair-go').hidden = !go;
    byId('pair-go').textContent = go;
    byId('pair-photo').hidden = !photo;
  }
}
