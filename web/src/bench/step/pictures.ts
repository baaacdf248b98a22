// Makes pictures of a step's numbers: all maps or all kernels of a layer, side by side with a clear line between them.
import { largestMagnitude } from '../../analysis/largest';
import { kernelOf } from '../../analysis/kernel';
import type { LayerRow, Shape, Weights } from '../../engine/types';

export interface Mosaic {
  values: Float32Array; // (rows, columns); NaN between the tiles
  rows: number;
  columns: number;
  tiles: number; // number of filters or maps that are shown
  total: number; // number of all filters or maps
  limit: number; // the largest absolute value of all of them
}

// Lays tiles of one size out in a grid of `across` tiles a row, with a line of one number between neighbours: (rows, columns).
function layTiles(tiles: ArrayLike<number>[], height: number, width: number, across: number): Float32Array {
  const down = Math.ceil(tiles.length / across);
  const columns = across * (width + 1) - 1;
  const values = new Float32Array((down * (height + 1) - 1) * columns).fill(NaN);
  tiles.forEach((tile, t) => {
    const [top, left] = [Math.floor(t / across) * (height + 1), (t % across) * (width + 1)];
    for (let i = 0; i < tile.length; i++) {
      values[(top + Math.floor(i / width)) * columns + left + (i % width)] = tile[i];
    }
  });
  return values;
}

const MAX_MAPS = 256; // maps or units of a layer that are shown

// True for a layer that changes values; others are not shown.
export const hasPicture = ({ layer }: LayerRow): boolean => layer.kind !== 'Flatten' && layer.kind !== 'Dropout';

// Lays the maps of a layer, values (pixels, maps), out in about a square. A unit is a tile of one number.
export function mapMosaic(values: ArrayLike<number>, shape: Shape): Mosaic {
  const [height, width, maps] = shape.length === 3 ? shape : [1, 1, shape[0]];
  const count = Math.min(maps, MAX_MAPS);
  const tiles = Array.from({ length: count }, (_, map) =>
    Float32Array.from({ length: height * width }, (_, i) => values[i * maps + map]),
  );
  const across = Math.min(count, Math.max(1, Math.round(Math.sqrt((count * height) / width))));
  const down = Math.ceil(count / across);
  return {
    values: layTiles(tiles, height, width, across),
    rows: down * (height + 1) - 1,
    columns: across * (width + 1) - 1,
    tiles: count,
    total: maps,
    limit: largestMagnitude(values),
  };
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
  const filters = row.outputShape[row.outputShape.length - 1];
  const count = Math.min(filters, MAX_FILTERS);
  if (`${row.layer.name}/kernel` in arrays) {
    const kernels = Array.from({ length: count }, (_, k) => kernelOf(table, arrays, row, k));
    const [{ rows, columns, readings }] = kernels;
    const channels = Math.min(readings.length, MAX_CHANNELS);
    const tiles = Array.from({ length: channels }, (_, c) =>
      kernels.map((kernel) => kernel.readings[c].weights!),
    ).flat();
    const across = channels === 1 ? Math.min(count, ACROSS) : count;
    return {
      values: layTiles(tiles, rows, columns, across),
      rows: Math.ceil(tiles.length / across) * (rows + 1) - 1,
      columns: across * (columns + 1) - 1,
      tiles: count,
      total: filters,
      limit,
    };
  }
  const tiles = names.flatMap((name) => Array.from(arrays[name].subarray(0, count), (value) => [value]));
  return {
    values: layTiles(tiles, 1, 1, count),
    rows: 2 * names.length - 1,
    columns: 2 * count - 1,
    tiles: count,
    total: filters,
    limit,
  };
}
