// A filter's kernel, and the maps that it reads.
import { beforeOf, channelsOfEarlier } from '../engine/architecture';
import { mapsRead } from '../engine/layers';
import type { LayerRow, Weights } from '../engine/types';
import { cosine } from './statistics';

// The weights of a filter or unit for one input map.
export interface Reading {
  map: number;
  weights: Float32Array | null; // (rows, columns); null for a layer without weights, such as pooling
  strength: number; // the L2 norm of the weights; 1 without weights
}

export interface Kernel {
  source: string; // the layer whose maps or units are read, "input" for the image
  others: string[]; // further layers that an Add reads: the same map of each
  rows: number; // shape of each reading's weights
  columns: number;
  readings: Reading[];
  bias: number | null;
  low: number; // range of all weights and zero
  high: number;
}

// Finds the layer whose output a layer reads, skipping Flatten and Dropout; null is the image.
export function sourceOf(table: LayerRow[], row: LayerRow): LayerRow | null {
  let index = beforeOf(table, row.index);
  while (index >= 0 && (table[index].layer.kind === 'Flatten' || table[index].layer.kind === 'Dropout')) {
    index = beforeOf(table, index);
  }
  return index < 0 ? null : table[index];
}

// Finds the shape of a layer's input before it was flattened, (H, W, C); a vector has (1, 1, units).
export function shapeBefore(table: LayerRow[], row: LayerRow): [number, number, number] {
  for (let index = row.index; index >= 0; index = beforeOf(table, index)) {
    const shape = table[index].inputShape;
    if (shape.length === 3) return [shape[0], shape[1], shape[2]];
    const before = table[beforeOf(table, index)];
    if (before === undefined || (before.layer.kind !== 'Flatten' && before.layer.kind !== 'Dropout')) break;
  }
  return [1, 1, row.inputShape[0]];
}

// The kernel's shape as (rows, columns, channels that a filter reads, filters); null for a layer without a kernel.
function kernelShape(table: LayerRow[], row: LayerRow): [number, number, number, number] | null {
  const shape = row.weightShapes[`${row.layer.name}/kernel`];
  if (shape === undefined) return null;
  if (row.layer.kind === 'DepthwiseConv2D') return [shape[0], shape[1], 1, shape[2] * shape[3]];
  if (shape.length === 4) return [shape[0], shape[1], shape[2], shape[3]];
  const [height, width, channels] = shapeBefore(table, row); // a dense layer's kernel is as large as the maps it reads
  return [height, width, channels, shape[1]];
}

// Collects the weights of a filter or unit, one reading for each map that it reads. The layer's kernel is (rows, columns,
// channels, count filters), so weight i of a channel and filter is at (i * channels + channel) * count + filter.
export function kernelOf(table: LayerRow[], weights: Weights, row: LayerRow, filter: number): Kernel {
  const { name, kind, from_layer: from } = row.layer;
  const kernel: Kernel = {
    source: sourceOf(table, row)?.layer.name ?? 'input',
    others: kind === 'Add' ? [from!] : [],
    rows: 1,
    columns: 1,
    readings: [],
    bias: weights[`${name}/bias`]?.[filter] ?? null,
    low: 0,
    high: 0,
  };
  const shape = kernelShape(table, row);
  if (shape === null) {
    // Layers without weights work map by map. The first maps of a Concatenate are those of an earlier layer; a Flatten puts
    // the maps of a pixel side by side.
    const numEarlier = channelsOfEarlier(table, row.index); // 0 unless the layer is a Concatenate
    let map = filter < numEarlier ? filter : filter - numEarlier;
    if (filter < numEarlier) kernel.source = from!;
    if (kind === 'Flatten') map = filter % row.inputShape[row.inputShape.length - 1];
    kernel.readings.push({ map, weights: null, strength: 1 });
    return kernel;
  }
  const [rows, columns, channels, count] = shape;
  const all = weights[`${name}/kernel`];
  const multiplier = row.layer.depth_multiplier ?? 1;
  const first = kind === 'Conv2D' ? mapsRead(row.layer, row.inputShape, filter).first : 0;
  [kernel.rows, kernel.columns] = [rows, columns];
  for (let channel = 0; channel < channels; channel++) {
    const values = new Float32Array(rows * columns);
    let square = 0;
    for (let i = 0; i < values.length; i++) {
      const value = (values[i] = all[(i * channels + channel) * count + filter]);
      square += value * value;
      kernel.low = Math.min(kernel.low, value);
      kernel.high = Math.max(kernel.high, value);
    }
    const map = kind === 'DepthwiseConv2D' ? Math.floor(filter / multiplier) : first + channel;
    kernel.readings.push({ map, weights: values, strength: Math.sqrt(square) });
  }
  return kernel;
}

// True if filters read different maps.
const readsOwnMaps = ({ layer }: LayerRow) => layer.kind === 'DepthwiseConv2D' || (layer.groups ?? 1) > 1;

const MIN_WEIGHTS = 4; // kernels with fewer weights are similar by chance

// Computes the cosine of each kernel of the layer and this filter's; null if the layer has no kernels, if they are too small,
// or if each reads a map of its own.
export function kernelLikeness(weights: Weights, row: LayerRow, filter: number): Float32Array | null {
  const all = weights[`${row.layer.name}/kernel`];
  const count = row.outputShape[row.outputShape.length - 1];
  if (all === undefined || readsOwnMaps(row) || all.length < MIN_WEIGHTS * count) return null;
  const weightsOf = (k: number) => Float32Array.from({ length: all.length / count }, (_, i) => all[i * count + k]);
  const own = weightsOf(filter);
  return Float32Array.from({ length: count }, (_, k) => cosine(own, weightsOf(k)));
}
