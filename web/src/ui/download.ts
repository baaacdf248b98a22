// Saves files: text, charts as SVG and PNG, tables as CSV.

import { say } from '../text/say.svelte';

export type Value = string | number | null;

// Joins parts to the name of a file, without characters that a file system might refuse.
export function fileName(...parts: string[]): string {
  return parts
    .map((part) => part.replace(/[^\p{L}\p{N}._]+/gu, '-').replace(/^[-.]+|-+$/g, ''))
    .filter(Boolean)
    .join('-');
}

export function downloadBlob(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // a browser that first asks for a folder reads it later
}

export function downloadText(name: string, text: string, type: string): void {
  downloadBlob(name, new Blob([text], { type: `${type};charset=utf-8` }));
}

// Formats rows as CSV (RFC 4180).
export function csvOf(rows: Value[][]): string {
  const field = (value: Value) => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(field).join(',') + '\r\n').join('');
}

// Reads what a cell shows, without the commas between thousands; `data-value` has the exact value of a rounded number.
function valueOf(cell: HTMLTableCellElement): string {
  if (cell.dataset.value !== undefined) return cell.dataset.value;
  const text = (cell.textContent ?? '').replace(/\s+/g, ' ').trim();
  return /^[-−+]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(',', '') : text;
}

// Reads the rows of a table; a cell that spans several columns is followed by empty ones.
export function rowsOfTable(table: HTMLTableElement): Value[][] {
  return Array.from(table.rows, (row) =>
    Array.from(row.cells).flatMap((cell) => [valueOf(cell), ...Array<string>(Math.max(0, cell.colSpan - 1)).fill('')]),
  );
}

// The style properties that are written into a saved drawing.
const STYLE_PROPERTIES = (
  'color,fill,fill-opacity,stroke,stroke-width,stroke-opacity,stroke-dasharray,stroke-linecap,stroke-linejoin,opacity,' +
  'font-family,font-size,font-weight,font-style,font-variant-numeric,letter-spacing,' +
  'text-anchor,dominant-baseline,shape-rendering,image-rendering'
).split(',');

// Rewrites mixed colours, which browsers give as color(srgb 0.1 0.2 0.3) and drawing programs cannot read.
function toRgb(value: string): string {
  return value.replace(/color\(srgb ([^)]+)\)/g, (_, inside: string) => {
    const [r, g, b, alpha] = inside.split(/[\s/]+/).map(Number);
    const rgb = [r, g, b].map((part) => Math.round(255 * part)).join(', ');
    return alpha === undefined ? `rgb(${rgb})` : `rgba(${rgb}, ${alpha})`;
  });
}

// Replaces the page's variables in an element's attributes by their values.
function resolveVariables(element: Element): void {
  const page = getComputedStyle(document.documentElement);
  for (const attribute of element.attributes) {
    if (!attribute.value.includes('var(')) continue;
    attribute.value = attribute.value.replace(/var\((--[\w-]+)\)/g, (_, name: string) =>
      page.getPropertyValue(name).trim(),
    );
  }
}

const HEADING = 24; // px above a drawing for its title, which the page shows outside of it

// Measures a drawing with its title, in the units of its own coordinates.
function boxOf(svg: SVGSVGElement): { x: number; y: number; width: number; height: number } {
  const box = svg.viewBox.baseVal;
  const drawn = box !== null && box.width > 0 && box.height > 0 ? box : svg.getBoundingClientRect();
  const [x, y] = drawn === box ? [box.x, box.y] : [0, 0];
  const heading = svg.dataset.title === undefined ? 0 : HEADING;
  return { x, y: y - heading, width: drawn.width, height: drawn.height + heading };
}

function headingOf(title: string, { x, y }: { x: number; y: number }): SVGElement {
  const heading = document.createElementNS('http://www.w3.org/2000/svg', 'text');
  const style = getComputedStyle(document.body);
  const set = { x: x + 4, y: y + 16, fill: style.color, 'font-family': style.fontFamily, 'font-size': 12 };
  for (const [name, value] of Object.entries(set)) heading.setAttribute(name, String(value));
  heading.textContent = title;
  return heading;
}

// Copies a drawing with the styles that it has on the page. Elements that the page hides are left out.
function copyWithStyles(svg: SVGSVGElement): SVGSVGElement {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const [shown, copies] = [svg, copy].map((root) => [root, ...root.querySelectorAll<SVGElement>('*')]);
  const hidden: Element[] = [];
  for (const [i, element] of shown.entries()) {
    copies[i].removeAttribute('class');
    if (element.closest('defs, symbol, clipPath, style, title, desc') !== null) {
      resolveVariables(copies[i]); // a definition takes its other styles from where it is used
      continue;
    }
    const style = getComputedStyle(element);
    if (style.display === 'none') hidden.push(copies[i]);
    // A drawing that is not in the document has no computed styles, so its attributes hold.
    const set = STYLE_PROPERTIES.map((property) => [property, style.getPropertyValue(property)]).filter(
      ([, value]) => value !== '',
    );
    if (set.length > 0)
      copies[i].setAttribute('style', set.map(([name, value]) => `${name}:${toRgb(value)}`).join(';'));
  }
  for (const element of hidden) element.remove();
  return copy;
}

// Writes a drawing as a file of its own, with the styles, the background and the title that it has on the page.
export function svgText(svg: SVGSVGElement): string {
  const copy = copyWithStyles(svg);
  const frame = boxOf(svg);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', String(frame.width));
  copy.setAttribute('height', String(frame.height));
  copy.setAttribute('viewBox', Object.values(frame).join(' '));
  const ground = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  for (const [name, value] of Object.entries(frame)) ground.setAttribute(name, String(value));
  ground.setAttribute('fill', getComputedStyle(document.body).backgroundColor);
  copy.prepend(ground);
  if (svg.dataset.title !== undefined) ground.after(headingOf(svg.dataset.title, frame));
  return new XMLSerializer().serializeToString(copy);
}

const DENSITY = 2; // pixels of a PNG for each pixel of the drawing

export async function pngOf(svg: SVGSVGElement): Promise<Blob> {
  const { width, height } = boxOf(svg);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(svg))}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(DENSITY * width);
  canvas.height = Math.ceil(DENSITY * height);
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (blob === null) throw new Error(say('ui.noPng'));
  return blob;
}
