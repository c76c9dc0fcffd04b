/** Small words for building parts of the page. */
import { icon } from './icons.js';

/** @returns {HTMLElement} */
export const byId = (id) => document.getElementById(id);

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `class`, `text`, `on` {event: handler}, or attributes
 * @param {...(Node | string | null)} children
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'text') node.textContent = value;
    else if (name === 'class') node.className = value;
    else if (name === 'on') {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const STATE_ICONS = {
  ok: 'check-circle',
  failed: 'close-circle-outline',
  warn: 'alert',
  waiting: 'clock-outline',
  skipped: 'minus-circle-outline',
  now: 'clock-outline',
};
const STATE_WORDS = {
  ok: 'done',
  failed: 'failed',
  warn: 'needs a look',
  waiting: 'waits',
  skipped: 'left out',
  now: 'under way',
};

/**
 * A row of a step list.
 * @param {{state: string, title: string, text?: string, action?: {label: string, do: () => void}}} step
 */
export function stepRow({ state, title, text = '', action = null }) {
  return make(
    'li',
    { 'data-state': state },
    icon(STATE_ICONS[state], 22),
    make(
      'div',
      { class: 'words' },
      make('b', { text: title }),
      make('span', { class: 'unseen', text: `${STATE_WORDS[state]}. ` }),
      text ? make('span', { text }) : null,
    ),
    action ? make('button', { type: 'button', text: action.label, on: { click: action.do } }) : null,
  );
}

/** Fill a help card. @param {{title: string, lines: string[]} | null} help */
export function fillHelp(card, help) {
  card.hidden = !help;
  if (!help) return;
  card.querySelector('h2').textContent = help.title;
  card.querySelector('ol').replaceChildren(...help.lines.map((line) => make('li', { text: line })));
}

let toastTimer = 0;

/** One line at the bottom for 5 s. */
export function toast(text) {
  const box = byId('toast');
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    box.hidden = true;
  }, 5000);
}

/** A picture of an edit, or its first letter where it has none. */
export function thumb(url, name) {
  if (url) return make('img', { class: 'thumb', src: url, alt: '' });
  return make('span', { class: 'thumb', 'aria-hidden': 'true', text: name.slice(0, 1) });
}

/**
 * Arrow keys move the choice in a radio group, as they do in one of the browser.
 * @param {HTMLElement} group
 */
export function arrowKeys(group) {
  group.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...group.querySelectorAll('[role="radio"]:not(:disabled), [role="tab"]')];
    const at = all.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    const next = all[(at + step + all.length) % all.length];
    next.focus();
    next.click();
  });
}
