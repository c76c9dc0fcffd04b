/** The gallery of an edit's concepts: tiles of the Edits tab, and which kinds are shown. */
import { make, thumb } from './dom.js';
import { conceptsOf, mixFor, mixParts } from './mix.js';
import { fileOf, inBytes } from './library.js';

const KINDS = { all: 'All', base: 'Base', adapter: 'Adapters' };

export class Gallery {
  #kind = 'all';

  /**
   * @param {{thumbs: object, onPick: (id: string, concept: string) => void,
   *   update: () => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** Chips to choose a kind by; none where all concepts are of one kind. */
  chips(edit) {
    const kinds = new Set(conceptsOf(edit?.offer).map((one) => one.kind));
    if (kinds.size < 2) return [];
    return Object.entries(KINDS).map(([kind, text]) =>
      make('button', {
        type: 'button',
        class: 'chip',
        role: 'radio',
        text,
        'data-key': `kind-${kind}`,
        'aria-checked': String(kind === this.#kind),
        tabindex: kind === this.#kind ? '0' : '-1',
        on: {
          click: () => {
            this.#kind = kind;
            this.update();
          },
        },
      }),
    );
  }

  /** A tile for each concept of the kind that is chosen. */
  tiles(id, edit) {
    const all = conceptsOf(edit?.offer);
    const isOneKind = new Set(all.map((one) => one.kind)).size < 2;
    const shown = all.filter((one) => isOneKind || ['all', one.kind].includes(this.#kind));
    const shares = new Map(all.length ? mixParts(mixFor(edit.offer, edit.mix)) : []);
    return shown.map((concept) => this.#tile(id, edit, concept, shares.get(concept.id) ?? 0));
  }

  #tile(id, edit, concept, share) {
    const problem = edit.bad[concept.id] ?? '';
    const part = share > 0 && share < 1 ? `${Math.round(share * 100)} %` : '';
    return make(
      'article',
      { class: 'tile', 'data-live': share > 0 ? 'true' : null },
      make(
        'button',
        {
          type: 'button',
          class: 'pick',
          'data-key': `concept-${id}-${concept.id}`,
          'aria-label': `Show ${concept.name}`,
          'aria-pressed': String(share > 0),
          disabled: Boolean(problem),
          on: { click: () => this.onPick(id, concept.id) },
        },
        thumb(this.thumbs.url(concept), concept.name),
        make(
          'span',
          { class: 'caption' },
          make('b', { text: concept.name }),
          make('span', { class: 'mono', text: edit.ms === null ? '' : `${Math.round(edit.ms)} ms` }),
        ),
      ),
      make(
        'div',
        { class: 'under' },
        make('span', { text: size(concept) }),
        share > 0 ? make('span', { class: 'now', text: part || 'live now' }) : null,
      ),
      problem ? make('p', { class: 'problem', text: problem }) : null,
    );
  }
}

function size(concept) {
  const bytes = inBytes(fileOf(concept, 'adapter').bytes);
  return concept.kind === 'base' ? `of the base, ${bytes}` : bytes;
}
