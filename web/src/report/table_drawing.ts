// Draws a table as the page shows it now: the backgrounds and the texts of its cells.
import { element } from '../charts/svg';

// Cuts a text that the page cuts too, in proportion to the width that it has.
function clipText(text: string, leaf: Element): string {
  const [available, needed] = [leaf.clientWidth, leaf.scrollWidth];
  if (available === 0 || needed <= available) return text;
  return `${text.slice(0, Math.max(1, Math.floor((text.length * available) / needed) - 1))}…`;
}

function drawText(leaf: Element, box: DOMRect, origin: DOMRect): SVGElement {
  const style = getComputedStyle(leaf);
  const upwards = style.writingMode.startsWith('vertical');
  const content = (leaf.textContent ?? '').replace(/\s+/g, ' ').trim();
  const align = upwards ? 'start' : style.textAlign;
  const anchor = align === 'center' ? 'middle' : align === 'right' || align === 'end' ? 'end' : 'start';
  const xOf = { start: box.left, middle: box.left + box.width / 2, end: box.right };
  const [x, y] = upwards ? [xOf.middle, box.bottom] : [xOf[anchor], box.top + box.height / 2];
  const text = element('text', {
    transform: `translate(${x - origin.left},${y - origin.top})${upwards ? ' rotate(-90)' : ''}`,
    dy: '0.35em',
    'text-anchor': anchor,
    fill: style.color,
    'font-family': style.fontFamily,
    'font-size': style.fontSize,
  });
  text.textContent = clipText(content, leaf);
  return text;
}

export function drawTable(table: HTMLTableElement): SVGSVGElement {
  const scroller = table.parentElement;
  const scrolled = scroller?.scrollLeft ?? 0;
  if (scroller) scroller.scrollLeft = 0; // so that names which stick to the edge are at their own positions
  const origin = table.getBoundingClientRect();
  const svg = element('svg', { viewBox: `0 0 ${origin.width} ${origin.height}` }) as SVGSVGElement;
  for (const cell of table.querySelectorAll('th, td')) {
    const box = cell.getBoundingClientRect();
    const style = getComputedStyle(cell);
    svg.append(
      element('rect', {
        x: box.left - origin.left,
        y: box.top - origin.top,
        width: box.width,
        height: box.height,
        fill: style.backgroundColor,
        stroke: style.borderBottomWidth === '0px' ? 'none' : style.borderBottomColor,
      }),
    );
    const leaves = [cell, ...cell.querySelectorAll('*')].filter(
      (node) => node.children.length === 0 && node.textContent,
    );
    for (const leaf of leaves) svg.append(drawText(leaf, leaf === cell ? box : leaf.getBoundingClientRect(), origin));
  }
  if (scroller) scroller.scrollLeft = scrolled;
  return svg;
}
