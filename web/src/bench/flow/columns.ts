// The layers as columns of the flow: what Flow.svelte shows of each, and how much room its heading needs.
import type { Ablation } from '../../analysis/ablations';
import type { LayerRow } from '../../engine/types';
import { headings, type Heading } from '../parts/headings';
import { BOLD, linesIn, pieces, PLAIN, widthOf } from '../parts/wrapping';

export interface Column {
  row: LayerRow;
  heading: Heading;
  folds: boolean; // the layer can be folded
  folded: boolean; // it is a thin line now
  parts: ('activation' | 'bias' | 'pooling')[]; // parts of the layer that ablations remove
}

// True for a layer that changes no value: its column is a thin line until it is opened.
export const canFold = ({ layer }: LayerRow) => layer.kind === 'Flatten' || layer.kind === 'Dropout';

// Makes a column for each layer. Layers that can be folded are, except those named in `opened`.
export function columnsOf(table: LayerRow[], ablations: Ablation[], opened: string[]): Column[] {
  const allHeadings = headings(table);
  return table.map((row, i) => {
    const { name } = row.layer;
    const folds = canFold(row);
    return {
      row,
      heading: allHeadings[i],
      folds,
      folded: folds && !opened.includes(name),
      parts: ablations.flatMap((ablation) =>
        ablation.part !== 'filter' && ablation.layer === name ? [ablation.part] : [],
      ),
    };
  });
}

const LINE = 20; // CSS pixels: height of a line of a heading in LayerColumn at a text scale of 1

// Computes the least width at which the title takes at most two lines and the facts three; if `isRoomy`, one and two.
// A piece of a text is not broken. `scale` is the text's: all is measured at scale 1, and then multiplied.
export function narrowestFor({ title, facts }: Heading, scale: number, isRoomy = false): number {
  const [titleLines, factLines] = isRoomy ? [1, 2] : [2, 3];
  const longestPiece = (text: string, weight: string) =>
    Math.max(...pieces(text).map((piece) => widthOf(piece.trimEnd(), weight)));
  let width = Math.ceil(Math.max(longestPiece(title, BOLD), longestPiece(facts, PLAIN)));
  while (linesIn(title, BOLD, width) > titleLines || linesIn(facts, PLAIN, width) > factLines) width += 4;
  return Math.ceil(width * scale);
}

// Computes the height of a heading in a column of this width.
export function heightOf({ title, facts }: Heading, width: number, scale: number): number {
  const lines = linesIn(title, BOLD, width / scale) + linesIn(facts, PLAIN, width / scale);
  return lines * LINE * scale;
}
