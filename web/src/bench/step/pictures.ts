// Makes pictures of a step's numbers: all maps or all kernels of a layer, side by side with a clear line between them.
import { largestMagnitude } from '../../analysis/largest';
import { kernelOf } from '../../analysis/kernel';
import type { LayerRow, Shape, Weights } from '../../engine/types';
import { mapOf } from '../../analysis/ranges';

interface Grid {
  values: Float32Array; // (rows, columns); NaN between the tiles
  rows: number;
  columns: number;
}

export interface Mosaic extends Grid {
  tiles: number; // number of filters or maps that are shown
  total: number; // number of all filters or maps
  limit: number; // the largest absolute value of all of them
}

// Lays tiles of one size out in a grid of `across` tiles a row, with a line of one number between neighbours.
// Three tiles of 1 × 2 numbers, two in a row:   1 1 . 2 2
//                                               . . . . .
//                                               3 3 . . .
function layTiles(tiles: ArrayLike<number>[], height: number, width: number, across: number): Grid {
  const rows = Math.ceil(tiles.length / across) * (height + 1) - 1;
  const columns = across * (width + 1) - 1;
  const values = new Float32Array(rows * columns).fill(NaN);
  tiles.forEach((tile, t) => {
    const [top, left] = [Math.floor(t / across) * (height + 1), (t % across) * (width + 1)];
    for (let i = 0; i < tile.length; i++) {
      values[(top + Math.floor(i / width)) * columns + left + (i % width)] = tile[i];
    }
  });
  return { values, rows, columns };
}

const MAX_MAPS = 256; // maps or units of a layer that are shown

// True for a layer that changes values; others are not shown.
export const hasPicture = ({ layer }: LayerRow): boolean => layer.kind !== 'Flatten' && layer.kind !== 'Dropout';

// Lays the maps of a layer, values (pixels, maps), out in about a square. A unit is a tile of one number.
export function mapMosaic(values: ArrayLike<number>, shape: Shape): Mosaic {
  const [height, width, maps] = shape.length === 3 ? shape : [1, 1, shape[0]];
  const count = Math.min(maps, MAX_MAPS);
  const tiles = Array.from({ length: count }, (_, map) => mapOf(values, maps, map));
  // With `a` tiles across, a square has a * width = (count / a) * height numbers on each side.
  const across = Math.min(count, Math.max(1, Math.round(Math.sqrt((count * height) / width))));
  return { ...layTiles(tiles, height, width, across), tiles: count, total: maps, limit: largestMagnitude(values) };
}

export const MAX_FILTERS = 64; // filters that are shown
const MAX_CHANNELS = 32; // maps of each filter that are shown
const ACROSS = 8; // filters in a row, if each reads one map

// Lays the kernels of a layer out: a column for each filter and a row for each map that filters read. If each reads only one
// map, ACROSS filters stand in a row. A layer without kernels, such as a batch normalisation, has a row for each kind of
// weight. `arrays` are weights, or gradients with the same names and shapes.
export function kernelMosaic(table: LayerRow[], arrays: Weights, row: LayerRow): Mosaic {
  const names = Object.keys(row.weightShapes).filter((name) => name in arrays);
  const limit = names.reduce((largest, name) => Math.max(largest, largestMagnitude(arrays[name])), 0);
  const total = row.outputShape[row.outputShape.length - 1];
  const count = Math.min(total, MAX_FILTERS);
  const numbers = { tiles: count, total, limit };
  if (!(`${row.layer.name}/kernel` in arrays)) {
    const tiles = names.flatMap((name) => Array.from(arrays[name].subarray(0, count), (value) => [value]));
    return { ...layTiles(tiles, 1, 1, count), ...numbers };
  }
  const kernels = Array.from({ length: count }, (_, k) => kernelOf(table, arrays, row, k));
  const [{ rows, columns, readings }] = kernels;
  const channels = Math.min(readings.length, MAX_CHANNELS);
  const tiles: Float32Array[] = [];
  for (let c = 0; c < channels; c++) tiles.push(...kernels.map((kernel) => kernel.readings[c].weights!));
  return { ...layTiles(tiles, rows, columns, channels === 1 ? Math.min(count, ACROSS) : count), ...numbers };
}
