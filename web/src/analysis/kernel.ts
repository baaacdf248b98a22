// A filter's kernel, and the maps that it reads.
import { beforeOf, channelsOfEarlier } from '../engine/architecture';
import { LAYER_KINDS, mapsRead } from '../engine/layers';
import type { LayerRow, Weights } from '../engine/types';
import { explainCell, type ForwardPass } from './cell';
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

// True for a layer that changes no value, so that the layers after it read the one before it.
export const passesOn = ({ layer }: LayerRow) => layer.kind === 'Dropout' || layer.kind === 'Flatten';

// Finds the layer whose output a layer reads, skipping those that pass it on; null is the image.
export function sourceOf(table: LayerRow[], row: LayerRow): LayerRow | null {
  let index = beforeOf(table, row.index);
  while (index >= 0 && passesOn(table[index])) index = beforeOf(table, index);
  return index < 0 ? null : table[index];
}

// Finds the shape of a layer's input before it was flattened, (H, W, C); a vector has (1, 1, units).
export function shapeBefore(table: LayerRow[], row: LayerRow): [number, number, number] {
  for (let index = row.index; index >= 0; index = beforeOf(table, index)) {
    const shape = table[index].inputShape;
    if (shape.length === 3) return [shape[0], shape[1], shape[2]];
    const before = table[beforeOf(table, index)];
    if (before === undefined || !passesOn(before)) break;
  }
  return [1, 1, row.inputShape[0]];
}

type KernelShape = [rows: number, columns: number, channels: number, filters: number]; // channels that a filter reads

// The shape of a layer's kernel; null for a layer without one.
function kernelShape(table: LayerRow[], row: LayerRow): KernelShape | null {
  const shape = row.weightShapes[`${row.layer.name}/kernel`];
  if (shape === undefined) return null;
  if (row.layer.kind === 'DepthwiseConv2D') return [shape[0], shape[1], 1, shape[2] * shape[3]];
  if (shape.length === 4) return [shape[0], shape[1], shape[2], shape[3]];
  const [height, width, channels] = shapeBefore(table, row); // a dense layer's kernel is as large as the maps it reads
  return [height, width, channels, shape[1]];
}

// Collects the weights of a filter or unit, one reading for each map that it reads.
export function kernelOf(table: LayerRow[], weights: Weights, row: LayerRow, filter: number): Kernel {
  const { name, kind, from_layer: from } = row.layer;
  const shape = kernelShape(table, row);
  const numEarlier = channelsOfEarlier(table, row.index); // 0 unless the layer is a Concatenate: its maps are the first
  const readings: Reading[] =
    shape === null
      ? [{ map: mapPassed(row, filter, numEarlier), weights: null, strength: 1 }]
      : readingsOf(row, weights[`${name}/kernel`], shape, filter);
  const [rows, columns] = shape ?? [1, 1];
  const kernel: Kernel = {
    source: filter < numEarlier ? from! : (sourceOf(table, row)?.layer.name ?? 'input'),
    others: kind === 'Add' || kind === 'Multiply' ? [from!] : [],
    rows,
    columns,
    readings,
    bias: weights[`${name}/bias`]?.[filter] ?? null,
    low: 0,
    high: 0,
  };
  for (const value of readings.flatMap((reading) => [...(reading.weights ?? [])])) {
    kernel.low = Math.min(kernel.low, value);
    kernel.high = Math.max(kernel.high, value);
  }
  return kernel;
}

// The map that a layer without weights passes on as map `filter`. A Flatten puts the maps of a pixel side by side; the maps
// of a Concatenate are counted from 0 again in its second layer.
function mapPassed(row: LayerRow, filter: number, numEarlier: number): number {
  if (row.layer.kind === 'Flatten') return filter % row.inputShape[row.inputShape.length - 1];
  return filter < numEarlier ? filter : filter - numEarlier;
}

// The kernel is (rows, columns, channels, filters), so the weights of a channel and filter are channels * count apart.
// A dense kernel (inputs, units) has this layout too, since its inputs are flattened maps (rows, columns, channels).
function readingsOf(row: LayerRow, kernel: Float32Array, shape: KernelShape, filter: number): Reading[] {
  const [rows, columns, channels, count] = shape;
  const first = firstMap(row, filter);
  return Array.from({ length: channels }, (_, channel) => {
    const weights = new Float32Array(rows * columns).map((_, i) => kernel[(i * channels + channel) * count + filter]);
    const strength = Math.sqrt(weights.reduce((sum, value) => sum + value * value, 0));
    return { map: first + channel, weights, strength };
  });
}

// The first of the maps that a filter reads, its channel 0.
function firstMap({ layer, inputShape }: LayerRow, filter: number): number {
  const { kind, depth_multiplier: multiplier = 1 } = layer;
  if (kind === 'DepthwiseConv2D') return Math.floor(filter / multiplier);
  return kind === 'Conv2D' ? mapsRead(layer, inputShape, filter).first : 0;
}

// Replaces the weights by which a filter reads a map.
export function withKernel(
  table: LayerRow[],
  weights: Weights,
  row: LayerRow,
  filter: number,
  { map, values }: { map: number; values: ArrayLike<number> },
): Weights {
  const name = `${row.layer.name}/kernel`;
  const [, , channels, count] = kernelShape(table, row)!;
  const kernel = weights[name].slice();
  const first = (map - firstMap(row, filter)) * count + filter;
  for (let i = 0; i < values.length; i++) kernel[i * channels * count + first] = values[i];
  return { ...weights, [name]: kernel };
}

// Changes how a convolution moves over its input: `stride` cells at a time, with zeros around the maps ('same') or without.
export function withWindow(row: LayerRow, stride: number, padding: 'same' | 'valid'): LayerRow {
  const layer = { ...row.layer, strides: [stride, stride] as [number, number], padding };
  const { window, outputShape } = LAYER_KINDS[layer.kind];
  return { ...row, layer, window: window!(layer, row.inputShape), outputShape: outputShape(layer, row.inputShape) };
}

// Computes a map of a layer, (rows, columns), cell by cell as in the lens; `row` takes the place of the pass's own.
export function computeMap(pass: ForwardPass, row: LayerRow, map: number): Float32Array {
  const changed = { ...pass, table: pass.table.with(row.index, row) };
  const [rows, columns] = row.outputShape;
  const cellAt = (i: number) => ({ layer: row.layer.name, map, row: Math.floor(i / columns), column: i % columns });
  return Float32Array.from({ length: rows * columns }, (_, i) => explainCell(changed, cellAt(i)).computed);
}

// True if filters read different maps.
const readsOwnMaps = ({ layer }: LayerRow) => layer.kind === 'DepthwiseConv2D' || (layer.groups ?? 1) > 1;

const MIN_WEIGHTS = 4; // kernels with fewer weights are similar by chance

// Computes the cosine of each kernel of the layer and this filter's; null if the layer has no kernels, if they are too
// small, or if each reads a map of its own. The filter is the last axis, so a filter's weights are `count` apart.
export function kernelLikeness(weights: Weights, row: LayerRow, filter: number): Float32Array | null {
  const all = weights[`${row.layer.name}/kernel`];
  const count = row.outputShape[row.outputShape.length - 1];
  if (all === undefined || readsOwnMaps(row) || all.length < MIN_WEIGHTS * count) return null;
  const weightsOf = (k: number) => Float32Array.from({ length: all.length / count }, (_, i) => all[i * count + k]);
  const own = weightsOf(filter);
  return Float32Array.from({ length: count }, (_, k) => cosine(own, weightsOf(k)));
}
