// The numbers of a step as pictures: all maps of a layer, or all kernels, side by side with a clear line between them.
import { kernelOf } from '../../analysis/kernel';
import type { LayerRow, Shape, Weights } from '../../engine/types';

export interface Mosaic {
  values: Float32Array; // (rows, columns); NaN between the tiles
  rows: number;
  columns: number;
  tiles: number; // that are shown
  of: number; // that there are
  limit: number; // the largest absolute value of those that there are
}

// Tiles of one size in a grid, as many as there are places.
function layTiles(tiles: ArrayLike<number>[], height: number, width: number, across: number): Float32Array {
  const down = Math.ceil(tiles.length / across);
  const columns = across * (width + 1) - 1;
  const values = new Float32Array((down * (height + 1) - 1) * columns).fill(NaN);
  tiles.forEach((tile, t) => {
    const corner = Math.floor(t / across) * (height + 1) * columns + (t % across) * (width + 1);
    for (let i = 0; i < tile.length; i++) values[corner + Math.floor(i / width) * columns + (i % width)] = tile[i];
  });
  return values;
}

const limitOf = (values: ArrayLike<number>): number =>
  Array.prototype.reduce.call(
    values,
    (largest, value) => Math.max(largest as number, Math.abs(value as number)),
    0,
  ) as number;

const MAX_TILES = 256;

// Layers that do not change values are not shown.
export const hasPicture = ({ layer }: LayerRow): boolean => layer.kind !== 'Flatten' && layer.kind !== 'Dropout';

// The maps of a layer, values (pixels, maps), as tiles in about a square. A unit is a tile of one number.
export function mapMosaic(values: ArrayLike<number>, shape: Shape): Mosaic {
  const [height, width, maps] = shape.length === 3 ? shape : [1, 1, shape[0]];
  const count = Math.min(maps, MAX_TILES);
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
    of: maps,
    limit: limitOf(values),
  };
}

export const MAX_FILTERS = 64;
const MAX_CHANNELS = 32;

const ACROSS = 8; // kernels of one map each, in a line

// The kernels of a layer: a column for each filter, a row for each map that it reads; where that is one map only, a few lines
// of filters. Of a layer without kernels, such as a
// batch normalisation, a row for each of its weights. `arrays` are weights or what has their names and shapes.
export function kernelMosaic(table: LayerRow[], arrays: Weights, row: LayerRow): Mosaic {
  const own = Object.keys(row.weightShapes).filter((name) => name in arrays);
  const limit = own.reduce((largest, name) => Math.max(largest, limitOf(arrays[name])), 0);
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
      of: filters,
      limit,
    };
  }
  const tiles = own.flatMap((name) => Array.from(arrays[name].subarray(0, count), (value) => [value]));
  return {
    values: layTiles(tiles, 1, 1, count),
    rows: 2 * own.length - 1,
    columns: 2 * count - 1,
    tiles: count,
    of: filters,
    limit,
  };
}
