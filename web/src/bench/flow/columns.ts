// The layers as columns of the flow.
import type { Lesion } from '../../analysis/lesions';
import type { LayerRow } from '../../engine/types';
import { headings, type Heading } from '../parts/headings';

export interface Column {
  row: LayerRow;
  heading: Heading;
  folds: boolean; // it changes no number, so a thin line stands for it until it is opened
  folded: boolean;
  parts: ('activation' | 'bias' | 'pooling')[]; // that lesions took away
}

export function columnsOf(table: LayerRow[], lesions: Lesion[], opened: string[], looked: string): Column[] {
  const named = headings(table);
  return table.map((row, i) => {
    const { kind, name } = row.layer;
    const folds = kind === 'Flatten' || kind === 'Dropout';
    return {
      row,
      heading: named[i],
      folds,
      folded: folds && !opened.includes(name) && looked !== name,
      parts: lesions.flatMap((lesion) => (lesion.part !== 'filter' && lesion.layer === name ? [lesion.part] : [])),
    };
  });
}

// Heights and widths of headings, in CSS pixels, as LayerColumn writes them; `scale` is that of the text.
const LINE = 20;
const LETTER = 8.4; // where nothing can be measured
const [BOLD, PLAIN] = ['600', '400'];

let pen: CanvasRenderingContext2D | null = null;
const known = new Map<string, number>();

function widthOf(text: string, weight: string): number {
  if (typeof document === 'undefined') return text.length * LETTER;
  const key = weight + text;
  let width = known.get(key);
  if (width === undefined) {
    pen ??= document.createElement('canvas').getContext('2d');
    if (pen === null) return text.length * LETTER;
    pen.font = `${weight} 15px ${getComputedStyle(document.body).fontFamily}`;
    known.set(key, (width = pen.measureText(text).width));
  }
  return width;
}

// Where a line may end: behind a blank or a hyphen, and beside a Chinese character.
const pieces = (text: string) =>
  text.replaceAll(' × ', '\u00a0×\u00a0').split(/(?<=[ -])|(?<=\p{sc=Han})|(?=\p{sc=Han})/u);

function linesIn(text: string, weight: string, width: number): number {
  if (text === '') return 0;
  let lines = 1;
  let line = '';
  for (const piece of pieces(text)) {
    if (line !== '' && widthOf((line + piece).trimEnd(), weight) > width) [lines, line] = [lines + 1, piece];
    else line += piece;
  }
  return lines;
}

// The least width at which the title needs at most two lines and the facts three, or where there is room one and two.
export function narrowestFor({ title, facts }: Heading, scale: number, isRoomy = false): number {
  const [titleLines, factLines] = isRoomy ? [1, 2] : [2, 3];
  const longest = (text: string, weight: string) =>
    Math.max(...pieces(text).map((piece) => widthOf(piece.trimEnd(), weight)));
  let width = Math.ceil(Math.max(longest(title, BOLD), longest(facts, PLAIN)));
  while (linesIn(title, BOLD, width) > titleLines || linesIn(facts, PLAIN, width) > factLines) width += 4;
  return Math.ceil(width * scale);
}

export function heightOf({ title, facts }: Heading, width: number, scale: number): number {
  const lines = linesIn(title, BOLD, width / scale) + linesIn(facts, PLAIN, width / scale);
  return lines * LINE * scale;
}
