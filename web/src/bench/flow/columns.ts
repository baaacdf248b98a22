// The layers as columns of the flow: what Flow.svelte shows of each, and how much room its heading needs.
import type { Ablation } from '../../analysis/ablations';
import type { LayerRow } from '../../engine/types';
import { headings, type Heading } from '../parts/headings';
import { BOLD, linesIn, pieces, PLAIN, widthOf } from '../parts/wrapping';

export interface Column {
  row: LayerRow;
  heading: Heading;
  folded: boolean; // it is a thin line
  follows: boolean; // each map is computed from the same map of the layer before
  parts: ('activation' | 'bias' | 'pooling')[]; // parts of the layer that ablations remove
}

// True for a layer that changes no value: its column is a thin line unless it has the held cell.
const canFold = ({ layer }: LayerRow) => layer.kind === 'Flatten' || layer.kind === 'Dropout';

export const MAX_LANES = 4; // of an ensemble that is shown whole
const MIXING = ['Conv2D', 'Branch', 'Concatenate', 'Multiply'];
const keepsMaps = ({ layer, inputShape, outputShape, index }: LayerRow) =>
  index > 0 && outputShape.length === 3 && inputShape[2] === outputShape[2] && !MIXING.includes(layer.kind);

// Makes a column for each layer.
export function columnsOf(table: LayerRow[], ablations: Ablation[], heldLayer: string): Column[] {
  const allHeadings = headings(table);
  return table.map((row, i) => {
    const { name, kind } = row.layer;
    return {
      row,
      heading: allHeadings[i],
      folded: kind === 'Branch' || (canFold(row) && name !== heldLayer),
      follows: keepsMaps(row),
      parts: ablations.flatMap((ablation) =>
        ablation.part !== 'filter' && ablation.layer === name ? [ablation.part] : [],
      ),
    };
  });
}

// Finds the member of an ensemble that a layer belongs to, from 1: 12 for m12_conv2d; 0 for none.
export const memberOf = (layer: string): number => Number(/^m(\d+)_/.exec(layer)?.[1] ?? 0);

// Lists the layers to show. Of an ensemble of many, these are a chain: one member, and the mean of all.
export function shownRows(table: LayerRow[], member: number): LayerRow[] {
  if (countMembers(table) <= MAX_LANES) return table;
  const isJoin = ({ layer: { kind } }: LayerRow) => kind === 'Branch' || kind === 'Concatenate';
  return [...table.filter((row) => memberOf(row.layer.name) === member && !isJoin(row)), table[table.length - 1]];
}

export function countMembers(table: LayerRow[]): number {
  const joins = table[table.length - 1].layer.kind === 'SoftVoting';
  return joins ? Math.max(...table.map(({ layer }) => memberOf(layer.name))) : 0;
}

const LINE = 20; // CSS pixels: height of a line of a heading in LayerColumn at a text scale of 1

// Computes the least width at which the title takes at most two lines and the facts three.
// A piece of a text is not broken. `scale` is the text's: all is measured at scale 1, and then multiplied.
export function narrowestFor({ title, facts }: Heading, scale: number): number {
  const longestPiece = (text: string, weight: string) =>
    Math.max(...pieces(text).map((piece) => widthOf(piece.trimEnd(), weight)));
  let width = Math.ceil(Math.max(longestPiece(title, BOLD), longestPiece(facts, PLAIN)));
  while (linesIn(title, BOLD, width) > 2 || linesIn(facts, PLAIN, width) > 3) width += 4;
  return Math.ceil(width * scale);
}

const knownLines = new Map<string, number>(); // the layout tries the same widths again and again

// Computes the height of a heading in a column of this width.
export function heightOf({ title, facts }: Heading, width: number, scale: number): number {
  const key = `${title}\n${facts}\n${width / scale}`;
  let lines = knownLines.get(key);
  if (lines === undefined) {
    lines = linesIn(title, BOLD, width / scale) + linesIn(facts, PLAIN, width / scale);
    knownLines.set(key, lines);
  }
  return lines * LINE * scale;
}

export const widthOfTitle = ({ title }: Heading, scale: number) => Math.ceil(widthOf(title, BOLD) * scale) + 1;

// Computes the width of a short name in its smaller type.
export const shortWidth = (name: string, scale: number) => Math.ceil(0.8 * widthOf(name, PLAIN) * scale) + 1;

// Computes the height of a short name that stands upright: Chinese characters stand one below the other.
export const uprightHeight = (name: string, scale: number) =>
  Math.max(shortWidth(name, scale), 12 * scale * pieces(name).length);
