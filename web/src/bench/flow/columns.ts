// The layers as columns of the flow.
import type { Ablation } from '../../analysis/ablations';
import type { LayerRow } from '../../engine/types';
import { headings, type Heading } from '../parts/headings';
import { BOLD, linesIn, pieces, PLAIN, widthOf } from '../parts/wrapping';

export interface Column {
  row: LayerRow;
  heading: Heading;
  folds: boolean; // the layer changes no value, so its column is a thin line until it is opened
  folded: boolean;
  parts: ('activation' | 'bias' | 'pooling')[]; // parts of the layer that ablations remove
}

// Makes a column for each layer. `looked` is the folded layer that the reader looks at; it is opened.
export function columnsOf(table: LayerRow[], ablations: Ablation[], opened: string[], looked: string): Column[] {
  const named = headings(table);
  return table.map((row, i) => {
    const { kind, name } = row.layer;
    const folds = kind === 'Flatten' || kind === 'Dropout';
    return {
      row,
      heading: named[i],
      folds,
      folded: folds && !opened.includes(name) && looked !== name,
      parts: ablations.flatMap((ablation) =>
        ablation.part !== 'filter' && ablation.layer === name ? [ablation.part] : [],
      ),
    };
  });
}

const LINE = 20; // CSS pixels of a line of a heading in LayerColumn, times the scale of the text

// Computes the least width at which the title takes at most two lines and the facts three; if `isRoomy`, one and two.
export function narrowestFor({ title, facts }: Heading, scale: number, isRoomy = false): number {
  const [titleLines, factLines] = isRoomy ? [1, 2] : [2, 3];
  const longest = (text: string, weight: string) =>
    Math.max(...pieces(text).map((piece) => widthOf(piece.trimEnd(), weight)));
  let width = Math.ceil(Math.max(longest(title, BOLD), longest(facts, PLAIN)));
  while (linesIn(title, BOLD, width) > titleLines || linesIn(facts, PLAIN, width) > factLines) width += 4;
  return Math.ceil(width * scale);
}

// Computes the height of a heading in a column of this width.
export function heightOf({ title, facts }: Heading, width: number, scale: number): number {
  const lines = linesIn(title, BOLD, width / scale) + linesIn(facts, PLAIN, width / scale);
  return lines * LINE * scale;
}
