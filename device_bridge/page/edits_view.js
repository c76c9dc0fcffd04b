/** The Edits tab: the live one on top, then all others with what they take on this phone. */
import { arrowKeys, byId, make, thumb } from './dom.js';
import { icon } from './icons.js';
import { bytesOf, epochOf, inBytes } from './library.js';
import { conceptOf, conceptsOf, mixFor, shownName } from './mix.js';
import { Gallery } from './gallery.js';

export class EditsView {
  #text = '';

  /**
   * @param {{library: object, thumbs: object, player: object, stats: object,
   *   studio: () => string, onPick: (id: string, concept?: string) => void, onRemove: (id: string) => void,
   *   onNote: (id: string, note: {thumb?: string, text?: string}) => boolean}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.gallery = new Gallery({ ...this, update: () => this.update() });
    arrowKeys(byId('edits-kinds'));
  }

  update() {
    const all = [...this.library.edits];
    const bytes = all.reduce((sum, [, edit]) => sum + bytesOf(edit.offer), 0);
    const studio = this.studio();
    const from = studio ? ` from studio “${studio}”` : '';
    const count = all.reduce((sum, [, edit]) => sum + (conceptsOf(edit.offer).length || 1), 0);
    byId('edits-lead').textContent = all.length
      ? `${count}${from}, ${inBytes(bytes)} in all`
      : `None yet${from}`;
    byId('edits-empty').hidden = all.length > 0;
    byId('edits-empty').textContent =
      'Push an exported generator in the studio, and it appears here a moment later.';
    this.#live();
    const { current } = this.library;
    const edit = this.library.get(current);
    const others = all.filter(([id]) => id !== current);
    const chips = this.gallery.chips(edit);
    const [kinds, grid] = [byId('edits-kinds'), byId('edits-grid')];
    const focus = document.activeElement?.dataset?.key;
    const hadFocus = grid.contains(document.activeElement) || kinds.contains(document.activeElement);
    kinds.hidden = !chips.length;
    kinds.replaceChildren(...chips);
    grid.replaceChildren(
      ...this.gallery.tiles(current, edit),
      ...others.map(([id, other]) => this.#tile(id, other)),
    );
    if (focus && hadFocus) document.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus();
  }

  #live() {
    const card = byId('edits-live');
    const id = this.library.current;
    const edit = this.library.get(id);
    card.hidden = !edit?.offer;
    if (!edit?.offer || card.contains(document.activeElement)) return;
    const { offer } = edit;
    const isLive = this.player.live?.id === id;
    const part = progress(edit);
    card.replaceChildren(
      make(
        'div',
        { class: 'top' },
        thumb(this.thumbs.url(pictured(edit)), shownName(edit)),
        make(
          'div',
          { class: 'words' },
          make(
            'div',
            { class: 'line' },
            make('h2', { text: shownName(edit) }),
            make('span', { class: 'now', text: isLive ? 'live now' : 'chosen' }),
          ),
          make('p', { class: 'muted small-text', text: this.#line(edit) }),
          part === null ? null : kerf(part),
        ),
      ),
      ...(edit.problem
        ? [make('p', { class: 'small-text problem', role: 'alert', text: edit.problem })]
        : []),
      this.#opinion(id, edit),
    );
  }

  #line(edit) {
    const { offer, coming, done } = edit;
    if (coming) return `New version, ${inBytes(done)} of ${inBytes(bytesOf(coming))}`;
    const at = epochOf(offer.note);
    if (offer.following && at) {
      return `Following training, epoch ${at.epoch}${at.of ? ` of ${at.of}` : ''}`;
    }
    const ms = this.stats.count ? `${Math.round(this.stats.median)} ms, ` : '';
    const where = edit.desktop ? 'computed on the desktop, ' : '';
    const concepts = conceptsOf(offer).length;
    if (concepts) {
      return `${ms}${where}one of ${concepts} in ${offer.name}, ${inBytes(bytesOf(offer))}`;
    }
    return `${ms}${where}${inBytes(bytesOf(offer))}${offer.note ? `, ${offer.note}` : ''}`;
  }

  #opinion(id, edit) {
    const button = (way, label) =>
      make(
        'button',
        {
          type: 'button',
          class: 'round',
          'aria-label': label,
          'aria-pressed': String(edit.thumb === way),
          on: {
            click: ({ currentTarget }) => {
              edit.thumb = edit.thumb === way ? '' : way;
              if (edit.thumb) this.onNote(id, { thumb: edit.thumb });
              currentTarget.blur();
              this.library.changed();
            },
          },
        },
        icon(edit.thumb === way ? `thumb-${way}` : `thumb-${way}-outline`, 22),
      );
    const words = make('input', {
      type: 'text',
      maxlength: '400',
      enterkeyhint: 'send',
      placeholder: 'Words for the studio',
      'aria-label': `What you think of ${edit.offer.name}`,
      on: {
        input: () => {
          this.#text = words.value;
        },
      },
    });
    words.value = this.#text;
    return make(
      'form',
      {
        class: 'opinion',
        on: {
          submit: (event) => {
            event.preventDefault();
            const text = words.value.trim();
            if (!text || !this.onNote(id, { text })) return;
            this.#text = '';
            words.blur();
            this.update();
          },
        },
      },
      button('up', 'This edit is good'),
      button('down', 'This edit is not good'),
      words,
      make(
        'button',
        {
          type: 'button',
          class: 'remove',
          'aria-label': `Remove ${edit.offer.name}`,
          on: { click: () => this.onRemove(id) },
        },
        icon('trash-can-outline', 20),
      ),
    );
  }

  #tile(id, edit) {
    const offer = edit.offer ?? edit.coming;
    const part = edit.coming ? edit.done / Math.max(1, bytesOf(edit.coming)) : null;
    return make(
      'article',
      { class: 'tile' },
      make(
        'button',
        {
          type: 'button',
          class: 'pick',
          'data-key': `pick-${id}`,
          'aria-label': `Show ${offer.name}`,
          disabled: !edit.offer,
          on: { click: () => this.onPick(id) },
        },
        thumb(this.thumbs.url(offer), offer.name),
        make(
          'span',
          { class: 'caption' },
          make('b', { text: offer.name }),
          make('span', { class: 'mono', text: edit.ms === null ? '' : `${Math.round(edit.ms)} ms` }),
        ),
      ),
      make(
        'div',
        { class: 'under' },
        make('span', {
          text: edit.coming
            ? `${Math.floor(100 * part)} % of ${inBytes(bytesOf(offer))}`
            : inBytes(bytesOf(offer)) + (edit.desktop ? ', desktop' : ''),
        }),
        make(
          'button',
          {
            type: 'button',
            class: 'remove',
            'data-key': `remove-${id}`,
            'aria-label': `Remove ${offer.name}`,
            on: { click: () => this.onRemove(id) },
          },
          icon('trash-can-outline', 20),
        ),
      ),
      part === null ? null : kerf(part),
      edit.problem ? make('p', { class: 'problem', text: edit.problem }) : null,
    );
  }
}

/** What the small picture of an edit is of: its first concept, where it has some. */
function pictured({ offer, mix }) {
  const shown = mixFor(offer, mix);
  return shown ? conceptOf(offer, shown.first) : offer;
}

/** Part of a training that the phone follows, or of a download; null for neither. */
function progress(edit) {
  if (edit.coming) return edit.done / Math.max(1, bytesOf(edit.coming));
  const at = epochOf(edit.offer.note);
  return edit.offer.following && at?.of ? at.epoch / at.of : null;
}

function kerf(part) {
  const line = make('i');
  line.style.setProperty('--part', String(Math.min(1, part)));
  return make('div', { class: 'kerf', 'aria-hidden': 'true' }, line);
}
