// Drawings that are put together to be saved, not shown. Colours and fonts are those that the page has now.

const NAMESPACE = 'http://www.w3.org/2000/svg';
const LETTER = 7; // px, about, at 12 px

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

export function widthOf(content: string): number {
  return Math.ceil(LETTER * content.length);
}
