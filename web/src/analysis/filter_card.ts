// The facts about a filter: kernel, most exciting images, activation by class, and whether it is dead or a duplicate.
import type { LayerRow, Weights } from '../engine/types';
import { activationLikeness, classMeans, isConstant, mostExciting } from './filter_statistics';
import type { ClassMean, Exciting, FilterStatistics } from './filter_statistics';
import { kernelLikeness } from './kernel';
import { receptiveFrame, sizesOf, type Frame } from './receptive';

// The filter of the same layer that is most like this one.
export interface Twin {
  filter: number;
  by: 'kernel' | 'activation';
  likeness: number; // cosine of the kernels, or correlation of the activations
}

export interface FilterFindings {
  exciting: (Exciting & { frame: Frame | null })[]; // `frame`: receptive field in the image; null if only padding
  classes: ClassMean[];
  active: number; // number of images of the sample on which any activation is above zero
  constant: number | null; // the filter's value if it is the same on the whole sample
  twin: Twin | null;
}

export const SAME_KERNEL = 0.95; // cosine of two kernels from which the filters are called duplicates
export const SAME_ACTIVATION = 0.98; // the same for the correlation of their activations
const NUM_EXCITING = 9; // images that excite the filter most

// Finds the most similar filter of the layer, or null if none reaches the threshold.
export function twinOf(likeness: ArrayLike<number>, filter: number, threshold: number, by: Twin['by']): Twin | null {
  let best: Twin | null = null;
  for (let k = 0; k < likeness.length; k++) {
    if (k === filter || likeness[k] < threshold || (best !== null && likeness[k] <= best.likeness)) continue;
    best = { filter: k, by, likeness: likeness[k] };
  }
  return best;
}

// Collects the facts about a filter from the statistics of its layer.
export function filterFindings(
  table: LayerRow[],
  row: LayerRow,
  weights: Weights,
  statistics: FilterStatistics,
  filter: number,
  images: { labels: ArrayLike<number>; numSample: number },
  classes: number,
): FilterFindings {
  const layer = statistics.layers.get(row.layer.name)!;
  const [, width] = sizesOf(row.outputShape);
  const constant = isConstant(layer, filter, images.numSample);
  // A twin by its kernel counts first. Constant activations have no correlation, so such a filter has no other twin.
  const kernels = kernelLikeness(weights, row, filter);
  let twin = kernels && twinOf(kernels, filter, SAME_KERNEL, 'kernel');
  if (twin === null && !constant) {
    twin = twinOf(activationLikeness(layer, filter), filter, SAME_ACTIVATION, 'activation');
  }
  const frameOf = (pixel: number): Frame | null => {
    const cell = { layer: row.layer.name, map: filter, row: Math.floor(pixel / width), column: pixel % width };
    return receptiveFrame(table, cell).get('input') ?? null;
  };
  let active = 0;
  for (let i = 0; i < images.numSample; i++) active += Number(layer.maxima[i * layer.filters + filter] > 0);
  return {
    active,
    exciting: mostExciting(layer, filter, NUM_EXCITING).map((item) => ({ ...item, frame: frameOf(item.pixel) })),
    classes: classMeans(layer, filter, images.labels, images.numSample, classes),
    constant: constant ? layer.maxima[filter] : null,
    twin,
  };
}
