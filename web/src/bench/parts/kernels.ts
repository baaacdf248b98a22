// Collects the weights of the first layer for pictures: kernels of a convolution, or weights of units over the image.
import { kernelOf } from '../../analysis/kernel';
import type { LayerRow, Weights } from '../../engine/types';

const MAX_FILTERS = 64; // filters that are drawn
const MAX_CHANNELS = 4; // channels of each filter that are drawn

export interface FirstKernels {
  row: LayerRow;
  count: number; // number of filters or units
  channels: number;
  rows: number;
  columns: number;
  maps: Float32Array[][]; // [filter][channel], the first channels alone; a reading is the kernel of a channel
  limit: number; // the largest absolute weight of the drawn filters
}

export function firstKernels(table: LayerRow[], weights: Weights): FirstKernels | null {
  const row = table.find((row) => `${row.layer.name}/kernel` in row.weightShapes);
  if (row === undefined) return null; // no layer has a kernel
  const count = row.outputShape[row.outputShape.length - 1];
  const kernels = Array.from({ length: Math.min(count, MAX_FILTERS) }, (_, k) => kernelOf(table, weights, row, k));
  return {
    row,
    count,
    channels: kernels[0].readings.length,
    rows: kernels[0].rows,
    columns: kernels[0].columns,
    maps: kernels.map(({ readings }) => readings.slice(0, MAX_CHANNELS).map((shown) => shown.weights as Float32Array)),
    limit: Math.max(...kernels.map(({ low, high }) => Math.max(-low, high))),
  };
}
