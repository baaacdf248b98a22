// Writes the page's own document with another payload, for "Save as a page". Script, style sheets, engine and policy stay those
// of the running page, so the digest in its policy holds. A report is left out.
import { TextError } from '../text/error';

interface Source {
  root: Node; // <html> without its content
  head: HTMLElement;
  header: HTMLElement;
}

let source: Source | null = null;

// Keeps a copy of the head and the header. Call it before anything is added to the header.
export function keepSource(): void {
  const header = document.querySelector<HTMLElement>('body > header');
  if (header === null) return;
  const copy = <T extends Node>(node: T) => node.cloneNode(true) as T;
  source = { root: document.documentElement.cloneNode(false), head: copy(document.head), header: copy(header) };
}

function element(name: string, attributes: Record<string, string>, text = ''): HTMLElement {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.textContent = text;
  return made;
}

export interface NewPage {
  title: string;
  about: string; // after the name of the program in the header
  unscripted: string; // the text for a reader without JavaScript
  payload: string; // JSON, see `scriptJson`
}

export function pageText({ title, about, unscripted, payload }: NewPage): string {
  const start = document.querySelector('body > #script + script'); // runs what it inflates from the element before it
  if (source === null || start === null) throw new TextError('symbols.noSource');
  const root = source.root.cloneNode(false) as HTMLElement;
  const head = source.head.cloneNode(true) as HTMLElement;
  const header = source.header.cloneNode(true) as HTMLElement;
  head.querySelector('title')!.textContent = title;
  header.querySelector('.menu')?.remove(); // it opens the report's contents
  header.querySelector('.run')!.textContent = about;
  for (const figure of header.querySelectorAll('[id="accuracy"]')) figure.replaceChildren();
  const packed = [...document.querySelectorAll('body > script[type]:not(#payload)')]; // engine, texts and script
  const body = document.createElement('body');
  const without = element('noscript', {}, '');
  without.append(element('p', { class: 'without' }, unscripted));
  body.append(
    header,
    element('div', { id: 'bench' }),
    without,
    element('script', { type: 'application/json', id: 'payload' }, payload),
    ...packed.map((element) => element.cloneNode(true)),
    start.cloneNode(true),
  );
  root.append(head, body);
  return `<!DOCTYPE html>\n${root.outerHTML}\n`;
}
