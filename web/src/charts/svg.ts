// Makes the elements of drawings that are saved, not shown, in the page's current colours and fonts.

const NAMESPACE = 'http://www.w3.org/2000/svg';
const LETTER = 7; // estimated px of a letter at 12 px
const WIDE_LETTER = 12; // px of a Chinese, Japanese or Korean character
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/g;

type Attributes = Record<string, string | number>;

export function element(name: string, attributes: Attributes): SVGElement {
  const node = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
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
  const node = element('text', {
    'font-family': 'system-ui, "Liberation Sans", "DejaVu Sans", sans-serif',
    'font-size': 12,
    fill: colour('ink'),
    ...attributes,
  });
  node.textContent = content;
  return node;
}

// Estimates the width of a text at 12 px, in pixels.
export function widthOf(content: string): number {
  const wide = content.match(WIDE)?.length ?? 0;
  return LETTER * (content.length - wide) + WIDE_LETTER * wide;
}

// Cuts a text to a width in pixels at 12 px, to no less than one letter.
export function clipText(content: string, width: number): string {
  if (widthOf(content) <= width) return content;
  let end = content.length - 1;
  while (end > 1 && widthOf(content.slice(0, end)) + LETTER > width) end--;
  return `${content.slice(0, Math.max(1, end))}…`;
}
