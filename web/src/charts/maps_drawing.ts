// Draws maps as SVG for a file: each painted as squares, with its name below.
import { paint, type Palette } from '../ui/palettes';
import { ground } from '../ui/theme.svelte';
import { colour, drawing, element, text, widthOf } from './svg';

export interface DrawnMap {
  name: string;
  values: ArrayLike<number>; // (rows, columns), row by row
  limit?: number; // largest value of its own scale; without it, of the common one
}

interface Layout {
  rows: number;
  columns: number;
  limit: number; // largest value of the scale; a signed scale begins at -limit
  palette: 'signed' | 'sequential';
}

const MAX_WIDTH = 640; // px of a line of maps
const GAP = 12; // px between maps and around them
const MAX_SIDE = 112; // px of a map's longer side
const LINE = 28; // px of height for the title, and below each line of maps for their names

// Draws the title and below it lines of maps. A map's cell is as wide as the map or the longest name, and a gap.
export function drawMaps(title: string, maps: DrawnMap[], { rows, columns, limit, palette }: Layout): SVGSVGElement {
  const scale = Math.max(1, Math.floor(MAX_SIDE / Math.max(rows, columns)));
  const colours = ground.palette(palette);
  const [width, height] = [columns * scale, rows * scale];
  const cell = Math.max(width, ...maps.map(({ name }) => widthOf(name))) + GAP;
  const perLine = Math.max(1, Math.min(maps.length, Math.floor(MAX_WIDTH / cell)));
  const pictures = maps.flatMap(({ name, values, limit: own = limit }, i) => {
    const [x, y] = [GAP + (i % perLine) * cell, LINE + Math.floor(i / perLine) * (height + LINE)];
    const href = enlargedImageUrl(values, rows, columns, palette === 'signed' ? -own : 0, own, colours, scale);
    return [
      element('image', { x, y, width, height, href }),
      element('rect', { x, y, width, height, fill: 'none', stroke: colour('hairline') }),
      text(name, { x, y: y + height + 16 }),
    ];
  });
  const lines = Math.ceil(maps.length / perLine);
  const fullWidth = Math.max(GAP + perLine * cell, widthOf(title) + 2 * GAP);
  return drawing(fullWidth, LINE + lines * (height + LINE), [
    text(title, { x: GAP, y: 16, fill: colour('muted') }),
    ...pictures,
  ]);
}

// Paints a map, enlarged by a whole factor, since some programs that open the file would smooth a small image.
function enlargedImageUrl(
  values: ArrayLike<number>,
  rows: number,
  columns: number,
  low: number,
  high: number,
  colours: Palette,
  scale: number,
): string {
  const small = document.createElement('canvas');
  const large = document.createElement('canvas');
  [small.width, small.height] = [columns, rows];
  [large.width, large.height] = [columns * scale, rows * scale];
  const image = new ImageData(columns, rows);
  paint(values, low, high, colours, image.data);
  small.getContext('2d')?.putImageData(image, 0, 0);
  const context = large.getContext('2d');
  if (context !== null) {
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, large.width, large.height);
  }
  return large.toDataURL();
}
