/** A mix of concepts: one, or two with the share of the second. */

/** The concept of an id in an offer. */
export function conceptOf(offer, id) {
  return offer?.concepts?.concepts.find((one) => one.id === id);
}

/** All concepts of an offer. */
export function conceptsOf(offer) {
  return offer?.concepts?.concepts ?? [];
}

/** Concepts with their shares; one alone where the other has none. */
export function mixParts({ first, second = '', share = 0 }) {
  if (!second || second === first || share === 0) return [[first, 1]];
  if (share === 1) return [[second, 1]];
  return [
    [first, 1 - share],
    [second, share],
  ];
}

/** The mix that an offer shows: `wished` where it has those concepts, else its first concept. */
export function mixFor(offer, wished) {
  const all = conceptsOf(offer);
  if (!all.length) return null;
  const { first, second = '', share = 0 } = wished ?? {};
  if (!conceptOf(offer, first)) return { first: all[0].id };
  if (!conceptOf(offer, second)) return { first };
  return { first, second, share };
}

/** What is wrong with a wish, as a sentence; empty for nothing. */
export function whyNot(offer, { first, second, share = 0 }) {
  if (!offer.concepts) return `${offer.name} has no concepts to switch.`;
  for (const id of [first, ...(second ? [second] : [])]) {
    if (!conceptOf(offer, id)) return `${offer.name} has no concept "${id}".`;
  }
  const isShare = Number.isFinite(share) && share >= 0 && share <= 1;
  return isShare ? '' : 'A share is a number from 0 to 1.';
}

/** What a mix is called: "Mosaic", or "Mosaic, 35 % Candy". */
export function mixName(offer, mix) {
  const parts = mixParts(mix);
  const [[first], [second, share] = []] = parts;
  const name = conceptOf(offer, first)?.name ?? '';
  if (!second) return name;
  return `${name}, ${Math.round(share * 100)} % ${conceptOf(offer, second)?.name ?? ''}`;
}

/** A mix as the protocol wants it. */
export function mixFields({ first, second = '', share = 0 }) {
  return second ? { first, second, share } : { first };
}

/** Whether two mixes compute the same. */
export function isSameMix(one, other) {
  return JSON.stringify(one && mixParts(one)) === JSON.stringify(other && mixParts(other));
}

/** What is shown of an edit, as words: its own name, or that of its concept or blend. */
export function shownName(edit) {
  if (!edit?.offer) return '';
  const mix = mixFor(edit.offer, edit.mix);
  return mix ? mixName(edit.offer, mix) : edit.offer.name;
}

/** The concept that a slider blends with: that of the mix, else the next one of the list. */
export function secondOf(offer, { first, second = '' }) {
  if (second && second !== first && conceptOf(offer, second)) return second;
  const all = conceptsOf(offer);
  const at = all.findIndex((one) => one.id === first);
  return all.length > 1 ? all[(at + 1) % all.length].id : '';
}
