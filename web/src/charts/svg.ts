// Drawings that are put together to be saved, not shown. Colours and fonts are those that the page has now.

const NAMESPACE = 'http://www.w3.org/2000/svg';
const LETTER = 7; // px, about, at 12 px
const WIDE_LETTER = 12; // of Chinese, Japanese and Korean
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/g;

type Attributes = Record<string, string | number>;

export function element(name: string, attributes: Attributes): SVGElement {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

export function drawing(width: number, height: number, children: SVGElement[]): SVGSVGElement {
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}` }) as SVGSVGElement;
  svg.append(...children);
  return svg;
}

export function colour(name: 'ink' | 'muted' | 'hairline' | 'accent' | 'warm' | 'for' | 'against'): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function text(content: string, attributes: Attributes): SVGElement {
  const made = element('text', {
    'font-family': 'system-ui, "Liberation Sans", "DejaVu Sans", sans-serif',
    'font-size': 12,
    fill: colour('ink'),
    ...attributes,
  });
  made.textContent = content;
  return made;
}

// Pixels, about, at 12 px.
export function widthOf(content: string): number {
  const wide = content.match(WIDE)?.length ?? 0;
  return LETTER * (content.length - wide) + WIDE_LETTER * wide;
}

// As much of a text as fits into so many pixels at 12 px, at least one letter.
export function clipText(content: string, room: number): string {
  if (widthOf(content) <= room) return content;
  let end = content.length - 1;
  while (end > 1 && widthOf(content.slice(0, end)) + LETTER > room) end--;
  return `${content.slice(0, Math.max(1, end))}…`;
}
