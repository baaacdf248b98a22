// The layout of maps on the canvas of a layer, and of the columns in the width of the flow.
import { sizesOf } from '../../analysis/receptive';
import type { Shape } from '../../engine/types';
import { isVector } from '../parts/words';

// All lengths are whole canvas pixels; `scale` of them are one CSS pixel.
export interface Grid {
  rows: number; // rows and columns of a map
  columns: number;
  maps: number;
  shown: number; // the number of maps that are drawn
  gridColumns: number; // number of maps in a row of the grid
  cell: number; // side of one number
  gap: number; // gap between maps
  scale: number;
}

export interface Point {
  x: number;
  y: number;
}

export const MAX_MAPS = 64; // shown at once, until the reader expands the layer
const MAX_UNITS = 400; // the same for the units of a vector
const FEW_UNITS = 32; // up to this many units stand in one column
// In CSS pixels.
export const BETWEEN = 8; // gap between columns
const READABLE = 40; // minimum side of a map if the columns are wider than the flow, unless a cell would exceed 8
const SMALLEST = 20; // minimum side of a map if all columns fit
const MIN_CELLS = [4, 3, 2]; // minimum cells of every map: the first with which all columns fit, before small maps grow
const LARGEST_CELL = 12;
const LARGEST_SIDE = 168; // largest side of a map
const LARGEST_UNIT = 20;

export function canvasSize(grid: Grid): { width: number; height: number } {
  const down = Math.ceil(grid.shown / grid.gridColumns);
  return {
    width: grid.gridColumns * (grid.columns * grid.cell + grid.gap) - grid.gap,
    height: down * (grid.rows * grid.cell + grid.gap) - grid.gap,
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
  const [across, down] = [grid.columns * grid.cell + grid.gap, grid.rows * grid.cell + grid.gap];
  const [right, below] = [Math.floor(x / across), Math.floor(y / down)];
  const map = below * grid.gridColumns + right;
  const column = Math.floor((x - right * across) / grid.cell);
  const row = Math.floor((y - below * down) / grid.cell);
  const inside =
    x >= 0 && y >= 0 && right < grid.gridColumns && map < grid.shown && row < grid.rows && column < grid.columns;
  return inside ? { map, row, column } : null;
}

function makeGrid({ shape, all, narrowest }: ColumnNeeds, cell: number, height: number, scale: number): Grid {
  const [rows, columns, maps] = sizesOf(shape);
  const shown = all ? maps : Math.min(maps, isVector(shape) ? MAX_UNITS : MAX_MAPS);
  const gap = Math.max(1, Math.round((isVector(shape) ? 1 : 2) * scale));
  const fitting = Math.max(1, Math.floor((height * scale + gap) / (rows * cell + gap)));
  const needed = Math.ceil(shown / fitting);
  // A narrow column is filled up to the width of its heading; a few units stay in one column.
  const filling =
    isVector(shape) && maps <= FEW_UNITS ? 1 : Math.floor((narrowest * scale + gap) / (columns * cell + gap));
  const gridColumns = filling > needed ? divisor(shown, needed, Math.min(filling, shown)) : evenly(shown, needed);
  return { rows, columns, maps, shown, gridColumns, cell, gap, scale };
}

// Finds the largest divisor of `shown` in [least, largest], so that no row is short, or else returns `largest`.
function divisor(shown: number, least: number, largest: number): number {
  for (let across = largest; across >= least; across--) if (shown % across === 0) return across;
  return largest;
}

// Returns `across`, or up to half more if then no row is short.
function evenly(shown: number, across: number): number {
  for (let more = across; more <= 1.5 * across; more++) if (shown % more === 0) return more;
  return Math.ceil(shown / Math.ceil(shown / across));
}

// Chooses the first side of a cell: at least `least` CSS pixels, and as many as give the map the side `side`, up to 8.
function firstCell({ shape }: ColumnNeeds, side: number, least: number, scale: number): number {
  const [rows, columns, maps] = sizesOf(shape);
  if (isVector(shape)) return Math.max(1, Math.round((maps <= FEW_UNITS ? 12 : 8) * scale));
  return Math.max(
    1,
    Math.round(least * scale),
    Math.min(Math.ceil((side * scale) / Math.max(rows, columns)), Math.round(8 * scale)),
  );
}

export interface ColumnNeeds {
  shape: Shape;
  all: boolean; // show every map
  narrowest: number; // CSS pixels of the column that its heading needs
  folded: number | null; // CSS pixels of a column that is only a line, else null
}

// Computes the width of all columns with their gaps, in CSS pixels.
export function widthOf(wanted: ColumnNeeds[], grids: Grid[], scale: number): number {
  return grids.reduce((sum, grid, i) => sum + columnWidth(wanted[i], grid, scale) + (i > 0 ? BETWEEN : 0), 0);
}

function columnWidth({ folded, narrowest }: ColumnNeeds, grid: Grid, scale: number): number {
  return folded ?? Math.max(narrowest, canvasSize(grid).width / scale);
}

// Lays out the grids of all layers. While width is left, the smallest maps grow by one pixel per cell, and then the
// units. If not even readable maps fit, the columns are wider than the flow.
export function fitGrids(wanted: ColumnNeeds[], width: number, height: number, scale: number): Grid[] {
  const first = (side: number, least: number) =>
    wanted.map((grid) => makeGrid(grid, firstCell(grid, side, least, scale), height, scale));
  const fits = (grids: Grid[]) => grids.every((grid) => canvasSize(grid).height <= height * scale);
  const small = MIN_CELLS.map((least) => first(SMALLEST, least)).find(
    (grids, i) => widthOf(wanted, grids, scale) <= width && (i === MIN_CELLS.length - 1 || fits(grids)),
  );
  const grids = small ?? first(READABLE, 1);
  let left = width - widthOf(wanted, grids, scale);
  const side = (grid: Grid) => Math.max(grid.rows, grid.columns) * grid.cell;
  const grow = (growing: Set<number>, largestCell: number) => {
    while (growing.size > 0) {
      const i = [...growing].reduce((least, candidate) =>
        side(grids[candidate]) < side(grids[least]) ? candidate : least,
      );
      const larger = makeGrid(wanted[i], grids[i].cell + 1, height, scale);
      const more = columnWidth(wanted[i], larger, scale) - columnWidth(wanted[i], grids[i], scale);
      const isLargest = side(larger) > LARGEST_SIDE * scale || larger.cell > largestCell * scale;
      const isHigh = canvasSize(larger).height > height * scale && canvasSize(grids[i]).height <= height * scale;
      if (isLargest || isHigh || more > left) growing.delete(i);
      else [grids[i], left] = [larger, left - more];
    }
  };
  const open = [...wanted.keys()].filter((i) => wanted[i].folded === null);
  grow(new Set(open.filter((i) => !isVector(wanted[i].shape))), LARGEST_CELL);
  grow(new Set(open.filter((i) => isVector(wanted[i].shape))), LARGEST_UNIT);
  return grids;
}

// Makes the grid of the image: its channels one below the other, with room for the colour image above three channels.
export function imageGrid(shape: Shape, side: number, height: number, scale: number): Grid {
  const [rows, columns, maps] = sizesOf(shape);
  const gap = Math.max(1, Math.round(2 * scale));
  const pictures = maps === 3 ? 4 : maps;
  const across = Math.floor((side * scale) / columns);
  const down = Math.floor((height * scale) / pictures / rows);
  const cell = Math.max(1, Math.min(across, down));
  return { rows, columns, maps, shown: maps, gridColumns: 1, cell, gap, scale };
}

// Paints values (pixels, maps) as squares: value (r, c) of a map is at (r * columns + c) * maps + map. Gaps stay clear.
export function paintMaps(
  values: ArrayLike<number>,
  grid: Grid,
  rangeOf: (map: number) => { low: number; high: number },
  colours: Uint32Array,
  into: Uint32Array,
): void {
  const { rows, columns, maps, cell } = grid;
  const { width } = canvasSize(grid);
  for (let map = 0; map < grid.shown; map++) {
    const { low, high } = rangeOf(map);
    const factor = high > low ? 255 / (high - low) : 0;
    const corner = cornerOf(grid, map);
    for (let r = 0; r < rows; r++) {
      const line = (corner.y + r * cell) * width + corner.x;
      let to = line;
      for (let c = 0; c < columns; c++) {
        const level = (values[(r * columns + c) * maps + map] - low) * factor + 0.5;
        const colour = colours[level <= 0 ? 0 : level >= 255 ? 255 : level | 0];
        for (let k = 0; k < cell; k++) into[to++] = colour;
      }
      for (let k = 1; k < cell; k++) into.copyWithin(line + k * width, line, to);
    }
  }
}
