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

export const MAX_MAPS = 64; // maps that are drawn until the reader expands the layer
const MAX_UNITS = 400; // units of a vector that are drawn until then
const FEW_UNITS = 32; // up to this many units stand in one column
// In CSS pixels.
export const BETWEEN = 8; // gap between columns
// Maps begin with SMALL_SIDE, but with cells of 4 at least, else 3, else 2, whichever is the first that fits: 28 × 28
// numbers with cells of 4, 4 × 4 with cells of 5. If none fits, the flow scrolls, and maps begin with a readable side.
const [SMALL_SIDE, READABLE_SIDE] = [20, 40];
const FIRST_CELLS = [4, 3, 2];
const MAX_FIRST_CELL = 8; // a cell begins no larger: 2 × 2 numbers with a side of 16
const [MAX_CELL, MAX_SIDE] = [12, 168]; // the cell and the side up to which maps grow
const [MANY_UNITS_CELL, FEW_UNITS_CELL, MAX_UNIT_CELL] = [8, 12, 20]; // units begin with one of the first two

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

export interface ColumnNeeds {
  shape: Shape;
  all: boolean; // show every map
  narrowest: number; // CSS pixels of width that the heading needs
  folded: number | null; // CSS pixels of width if the column is folded to a line, else null
}

// Arranges the maps of a layer, with cells of this size: in the fewest grid columns that are not too high, or in as
// many as the heading above them is wide, if these are more. A few units stay in one column under a wide heading.
function makeGrid({ shape, all, narrowest }: ColumnNeeds, cell: number, height: number, scale: number): Grid {
  const [rows, columns, maps] = sizesOf(shape);
  const shown = all ? maps : Math.min(maps, isVector(shape) ? MAX_UNITS : MAX_MAPS);
  const gap = Math.max(1, Math.round((isVector(shape) ? 1 : 2) * scale));
  // n maps in a line take n * (numbers * cell + gap) - gap canvas pixels.
  const mapsIn = (length: number, numbers: number) => Math.floor((length * scale + gap) / (numbers * cell + gap));
  const fewest = Math.ceil(shown / Math.max(1, mapsIn(height, rows)));
  const underHeading = isVector(shape) && maps <= FEW_UNITS ? 1 : mapsIn(narrowest, columns);
  const gridColumns =
    underHeading > fewest ? mostColumns(shown, fewest, Math.min(underHeading, shown)) : fewestColumns(shown, fewest);
  return { rows, columns, maps, shown, gridColumns, cell, gap, scale };
}

// Finds the largest divisor of `shown` in [least, largest], so that no row is short, or else returns `largest`:
// 32 maps in 5 to 10 columns are four rows of 8.
function mostColumns(shown: number, least: number, largest: number): number {
  for (let count = largest; count >= least; count--) if (shown % count === 0) return count;
  return largest;
}

// Finds the least divisor of `shown` in [least, 1.5 * least], so that no row is short. Without one, as many rows as
// with `least` columns are filled evenly: 17 maps with a least of 7 stand in rows of 6, 6 and 5, not of 7, 7 and 3.
function fewestColumns(shown: number, least: number): number {
  for (let count = least; count <= 1.5 * least; count++) if (shown % count === 0) return count;
  return Math.ceil(shown / Math.ceil(shown / least));
}

// Chooses the canvas pixels of a first cell: the map gets this side, but a cell at least `least` CSS pixels.
function firstCell({ shape }: ColumnNeeds, side: number, least: number, scale: number): number {
  const [rows, columns, maps] = sizesOf(shape);
  if (isVector(shape)) return Math.max(1, Math.round((maps <= FEW_UNITS ? FEW_UNITS_CELL : MANY_UNITS_CELL) * scale));
  const cellOfSide = Math.min(Math.ceil((side * scale) / Math.max(rows, columns)), Math.round(MAX_FIRST_CELL * scale));
  return Math.max(1, Math.round(least * scale), cellOfSide);
}

// Computes the width of all columns with their gaps, in CSS pixels.
export function widthOf(needs: ColumnNeeds[], grids: Grid[], scale: number): number {
  return grids.reduce((sum, grid, i) => sum + columnWidth(needs[i], grid, scale) + (i > 0 ? BETWEEN : 0), 0);
}

function columnWidth({ folded, narrowest }: ColumnNeeds, grid: Grid, scale: number): number {
  return folded ?? Math.max(narrowest, canvasSize(grid).width / scale);
}

// Lays out the grids of all layers in a width and height of CSS pixels. While width is left, the smallest maps grow by
// one canvas pixel per cell, and then the units. If not even small maps fit, the columns are wider than the flow.
export function fitGrids(needs: ColumnNeeds[], width: number, height: number, scale: number): Grid[] {
  const begin = (side: number, least: number) =>
    needs.map((need) => makeGrid(need, firstCell(need, side, least, scale), height, scale));
  const fitsHeight = (grid: Grid) => canvasSize(grid).height <= height * scale;
  const fitsWidth = (grids: Grid[]) => widthOf(needs, grids, scale) <= width;
  const small = FIRST_CELLS.map((least) => begin(SMALL_SIDE, least));
  const tightest = small[small.length - 1]; // if they only fit the width: scrolling down is better than to the side
  const best = small.find((grids) => fitsWidth(grids) && grids.every(fitsHeight));
  const grids = best ?? (fitsWidth(tightest) ? tightest : begin(READABLE_SIDE, 1));
  let spare = width - widthOf(needs, grids, scale);
  const sideOf = (grid: Grid) => Math.max(grid.rows, grid.columns) * grid.cell; // of a map
  // Grows the grids of these layers, always the one with the smallest maps, until none of them can grow.
  const grow = (growing: Set<number>, maxCell: number) => {
    while (growing.size > 0) {
      const i = [...growing].reduce((smallest, candidate) =>
        sideOf(grids[candidate]) < sideOf(grids[smallest]) ? candidate : smallest,
      );
      const larger = makeGrid(needs[i], grids[i].cell + 1, height, scale);
      const added = columnWidth(needs[i], larger, scale) - columnWidth(needs[i], grids[i], scale);
      const isTooLarge = sideOf(larger) > MAX_SIDE * scale || larger.cell > maxCell * scale;
      const isTooHigh = fitsHeight(grids[i]) && !fitsHeight(larger);
      if (isTooLarge || isTooHigh || added > spare) growing.delete(i);
      else [grids[i], spare] = [larger, spare - added];
    }
  };
  const open = [...needs.keys()].filter((i) => needs[i].folded === null);
  grow(new Set(open.filter((i) => !isVector(needs[i].shape))), MAX_CELL);
  grow(new Set(open.filter((i) => isVector(needs[i].shape))), MAX_UNIT_CELL);
  return grids;
}

// Makes the grid of the image, at most `side` CSS pixels wide: its channels one below the other, with room for the
// colour image above three channels.
export function imageGrid(shape: Shape, side: number, height: number, scale: number): Grid {
  const [rows, columns, maps] = sizesOf(shape);
  const gap = Math.max(1, Math.round(2 * scale));
  const pictures = maps === 3 ? 4 : maps;
  const byWidth = Math.floor((side * scale) / columns);
  const byHeight = Math.floor((height * scale) / pictures / rows);
  const cell = Math.max(1, Math.min(byWidth, byHeight));
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
