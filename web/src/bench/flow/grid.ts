// The grid of maps on a layer's canvas: how large maps are in the flow's width, where they lie, and their painting.
import type { Range } from '../../analysis/ranges';
import { sizesOf } from '../../analysis/receptive';
import type { Shape } from '../../engine/types';
import { isVector } from '../parts/words';

// A grid of maps, each of rows × columns numbers, drawn as squares. Map k is in row floor(k / gridColumns) and column
// k % gridColumns of the grid: five maps in 2 grid columns are 0 1 | 2 3 | 4. Lengths are whole canvas pixels.
export interface Grid {
  rows: number; // of a map
  columns: number;
  maps: number;
  shown: number; // the first maps, which are drawn
  gridColumns: number; // number of maps side by side
  cell: number; // side of the square of a number
  gap: number; // between maps
  scale: number; // canvas pixels of a CSS pixel
}

export interface Point {
  x: number;
  y: number;
}

export const BETWEEN = 8; // gap between columns, in CSS pixels
const FEW_UNITS = 32; // up to this many units stand in one column
// In CSS pixels: least and largest cell of a map whose numbers are squares, and its largest side; the largest unit.
const [MIN_CELL, MAX_CELL, MAX_UNIT] = [2, 12, 20];
export const MAX_SIDE = 168;
const [THUMBNAIL, SMALL_UNIT] = [26, 5]; // sides of a map and of a unit in a thumbnail

export function canvasSize(grid: Grid): { width: number; height: number } {
  const gridRows = Math.ceil(grid.shown / grid.gridColumns);
  return {
    width: grid.gridColumns * (grid.columns * grid.cell + grid.gap) - grid.gap,
    height: gridRows * (grid.rows * grid.cell + grid.gap) - grid.gap,
  };
}

export function cornerOf(grid: Grid, map: number): Point {
  return {
    x: (map % grid.gridColumns) * (grid.columns * grid.cell + grid.gap),
    y: Math.floor(map / grid.gridColumns) * (grid.rows * grid.cell + grid.gap),
  };
}

// Finds the map and cell at a point of the canvas; null in a gap.
export function cellAt(grid: Grid, { x, y }: Point): { map: number; row: number; column: number } | null {
  const gridColumn = Math.floor(x / (grid.columns * grid.cell + grid.gap));
  const gridRow = Math.floor(y / (grid.rows * grid.cell + grid.gap));
  const map = gridRow * grid.gridColumns + gridColumn;
  if (x < 0 || y < 0 || gridColumn >= grid.gridColumns || map >= grid.shown) return null;
  const corner = cornerOf(grid, map);
  const column = Math.floor((x - corner.x) / grid.cell);
  const row = Math.floor((y - corner.y) / grid.cell);
  return row < grid.rows && column < grid.columns ? { map, row, column } : null;
}

const gapOf = (shape: Shape, scale: number) => Math.max(1, Math.round((isVector(shape) ? 1 : 2) * scale));

// Finds the least divisor of `shown` in [least, 1.5 * least], so that no row is short. Without one, as many rows as
// with `least` columns are filled evenly: 17 maps with a least of 7 stand in rows of 6, 6 and 5, not of 7, 7 and 3.
function fewestColumns(shown: number, least: number): number {
  for (let count = least; count <= 1.5 * least; count++) if (shown % count === 0) return count;
  return Math.ceil(shown / Math.ceil(shown / least));
}

// Arranges all maps of a layer with about this side in CSS pixels, in the fewest grid columns that are not too high. Each
// number is a square of whole pixels of the screen. Returns null if it would be smaller than MIN_CELL.
export function squareGrid(shape: Shape, side: number, height: number, scale: number): Grid | null {
  const [rows, columns, maps] = sizesOf(shape);
  const gap = gapOf(shape, scale);
  const isUnits = isVector(shape);
  const room = isUnits
    ? Math.min(MAX_UNIT, maps <= FEW_UNITS ? height / maps - 1 : side / 6)
    : side / Math.max(rows, columns);
  const cell = Math.floor(Math.min(isUnits ? MAX_UNIT : MAX_CELL, room) * scale);
  if (cell < MIN_CELL * scale) return null;
  const gridRows = Math.max(1, Math.floor((height * scale + gap) / (rows * cell + gap)));
  const gridColumns = fewestColumns(maps, Math.ceil(maps / gridRows));
  return { rows, columns, maps, shown: maps, gridColumns, cell, gap, scale };
}

// Makes a grid of `gridColumns` maps side by side, each of exactly this side in CSS pixels: the canvas has whole pixels for
// each number, and is shown a little smaller.
function gridOf(shape: Shape, shown: number, gridColumns: number, side: number, scale: number): Grid {
  const [rows, columns, maps] = sizesOf(shape);
  const pixels = (Math.max(1, side) * scale) / Math.max(rows, columns); // of the screen, for each number
  const cell = Math.max(1, Math.ceil(pixels - 1e-9));
  const ownScale = (scale * cell) / pixels;
  return {
    rows,
    columns,
    maps,
    shown,
    gridColumns,
    cell,
    gap: Math.floor((isVector(shape) ? 1 : 2) * ownScale),
    scale: ownScale,
  };
}

// Fits all maps of a layer into a width and height of CSS pixels, as large as they can be.
export function gridIn(shape: Shape, width: number, height: number, scale: number): Grid {
  const [gap, shown] = [gapOf(shape, 1), shape.at(-1)!];
  const fits = Array.from({ length: shown }, (_, i) => i + 1)
    .map((gridColumns) => {
      const gridRows = Math.ceil(shown / gridColumns);
      const side = Math.min((width + gap) / gridColumns, (height + gap) / gridRows) - gap;
      return { gridColumns, side: Math.min(side, isVector(shape) ? MAX_UNIT : MAX_SIDE) };
    })
    .sort((a, b) => b.side - a.side);
  // No row is short, if that makes maps hardly smaller.
  const best = fits.find(({ gridColumns, side }) => shown % gridColumns === 0 && side > 0.7 * fits[0].side) ?? fits[0];
  return gridOf(shape, shown, best.gridColumns, best.side, scale);
}

// Fits the first maps of a layer into a small width and height of CSS pixels.
export function thumbnail(shape: Shape, width: number, height: number, scale: number): Grid {
  const gap = gapOf(shape, 1);
  const usual = isVector(shape) ? SMALL_UNIT : THUMBNAIL;
  const across = Math.max(1, Math.floor((width + gap) / (usual + gap)));
  const side = Math.min((width + gap) / across - gap, Math.max(4, height));
  const fitting = across * Math.max(1, Math.floor((height + gap) / (side + gap)));
  return shape.at(-1)! <= fitting ? gridIn(shape, width, height, scale) : gridOf(shape, fitting, across, side, scale);
}

// Makes the grid of the image, at most `side` CSS pixels wide: its channels one below the other, with room for the
// colour image above three channels.
export function imageGrid(shape: Shape, side: number, height: number, scale: number): Grid {
  const [rows, columns, maps] = sizesOf(shape);
  const gap = Math.max(1, Math.round(2 * scale));
  const pictures = maps === 3 ? 4 : maps;
  const byWidth = Math.floor((side * scale) / columns);
  const room = (height * scale - (pictures - 1) * gap) / pictures; // the height of each
  const byHeight = Math.floor(room / rows);
  const cell = Math.min(byWidth, byHeight);
  if (cell < 1) return gridOf(shape, maps, 1, Math.min(side, room / scale), scale);
  return { rows, columns, maps, shown: maps, gridColumns: 1, cell, gap, scale };
}

// Paints values (pixels, maps) as squares: value (r, c) of a map is at (r * columns + c) * maps + map. Gaps stay clear.
// Of each row of squares, the first line of pixels is painted and then copied to the others.
export function paintMaps(
  values: ArrayLike<number>,
  grid: Grid,
  { low, high }: Range,
  colours: Uint32Array, // 256, from low to high
  pixels: Uint32Array, // of the canvas
): void {
  const { rows, columns, maps, cell } = grid;
  const { width } = canvasSize(grid);
  const factor = high > low ? 255 / (high - low) : 0;
  for (let map = 0; map < grid.shown; map++) {
    const corner = cornerOf(grid, map);
    for (let r = 0; r < rows; r++) {
      const line = (corner.y + r * cell) * width + corner.x;
      let end = line;
      for (let c = 0; c < columns; c++) {
        const level = (values[(r * columns + c) * maps + map] - low) * factor + 0.5;
        const colour = colours[level <= 0 ? 0 : level >= 255 ? 255 : level | 0];
        for (let k = 0; k < cell; k++) pixels[end++] = colour;
      }
      for (let k = 1; k < cell; k++) pixels.copyWithin(line + k * width, line, end);
    }
  }
}
