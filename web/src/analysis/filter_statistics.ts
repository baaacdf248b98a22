// Activation statistics of every map and unit over many images. The extremes of each image's map show which images excite a
// filter and which filters are constant. A few values of each image's map show which filters are alike.
import type { Network } from '../engine/network';
import type { LayerRow, Weights } from '../engine/types';
import { correlation, randomNumbers } from './statistics';
import { inPieces, type Work } from './slices';
import { withNetwork } from './with_network';

export interface LayerStatistics {
  filters: number;
  maxima: Float32Array; // (N, filters): the largest value of each image's map; of a unit, its value
  minima: Float32Array; // (N, filters): the smallest value
  pixels: Int32Array; // (N, filters): where the maximum is, row * columns + column
  drawn: Float32Array; // (draws, filters): values at random pixels of the sample, the same for all maps
}

export interface FilterStatistics {
  count: number; // images
  layers: Map<string, LayerStatistics>;
}

export interface ManyImages {
  pixels: Uint8Array; // (N, H, W, C)
  count: number;
  numSample: number; // the first numSample images are a fair sample of the split; the others were chosen
}

const NUM_DRAWN = 4096; // values drawn from each map over the sample: from 1000 images 4 each, enough for a correlation

// Measures every map and unit of a network over the images.
export function* filterStatistics(table: LayerRow[], network: Network, images: ManyImages): Work<FilterStatistics> {
  const { count } = images;
  const size = images.pixels.length / count;
  const random = randomNumbers(1);
  const perImage = Math.max(1, Math.floor(NUM_DRAWN / Math.max(1, images.numSample)));
  const layers = table.map((row): LayerStatistics => {
    const filters = row.outputShape[row.outputShape.length - 1];
    const pixels = row.outputShape.length === 3 ? row.outputShape[0] * row.outputShape[1] : 1;
    return {
      filters,
      maxima: new Float32Array(count * filters),
      minima: new Float32Array(count * filters),
      pixels: new Int32Array(count * filters),
      drawn: new Float32Array(images.numSample * Math.min(perImage, pixels) * filters),
    };
  });
  yield* inPieces(count, (from, to) => {
    const activations = network.activations(images.pixels.subarray(from * size, to * size));
    for (const [l, statistics] of layers.entries()) {
      const numbers = activations[l].length / (to - from);
      for (let i = from; i < to; i++) {
        const values = activations[l].subarray((i - from) * numbers, (i - from + 1) * numbers);
        summarize(statistics, values, i);
        if (i < images.numSample) drawValues(statistics, values, i, perImage, random);
      }
    }
  });
  return { count, layers: new Map(table.map((row, l) => [row.layer.name, layers[l]])) };
}

// Writes the extremes of each map of image i; its values are (pixels, maps).
function summarize({ filters, maxima, minima, pixels }: LayerStatistics, values: Float32Array, i: number): void {
  const at = i * filters;
  for (let k = 0; k < filters; k++) maxima[at + k] = minima[at + k] = values[k];
  for (let from = filters, pixel = 1; from < values.length; from += filters, pixel++) {
    for (let k = 0; k < filters; k++) {
      const value = values[from + k];
      if (value > maxima[at + k]) {
        maxima[at + k] = value;
        pixels[at + k] = pixel;
      } else if (value < minima[at + k]) minima[at + k] = value;
    }
  }
}

// Copies the values of all maps at some random pixels of image i.
function drawValues(
  { filters, drawn }: LayerStatistics,
  values: Float32Array,
  i: number,
  perImage: number,
  random: () => number,
) {
  const pixels = values.length / filters;
  const numDrawn = Math.min(perImage, pixels);
  for (let n = 0; n < numDrawn; n++) {
    const pixel = pixels === 1 ? 0 : Math.floor(random() * pixels);
    drawn.set(values.subarray(pixel * filters, (pixel + 1) * filters), (i * numDrawn + n) * filters);
  }
}

const statisticsOfWeights = new WeakMap<Weights, FilterStatistics>();

// Measures the statistics once per weights object, with a network that is made for it and freed afterwards.
export function* statisticsOnce(
  table: LayerRow[],
  weights: Weights,
  make: () => Network,
  images: ManyImages,
): Work<FilterStatistics> {
  const cached = statisticsOfWeights.get(weights);
  if (cached !== undefined) return cached;
  const statistics = yield* withNetwork(make, (network) => filterStatistics(table, network, images));
  statisticsOfWeights.set(weights, statistics);
  return statistics;
}

// An image that excites a filter strongly: its largest value, and the pixel of the map that has it.
export interface Exciting {
  image: number;
  value: number;
  pixel: number;
}

// Finds the images with the largest values of a map or unit, one pixel each; none if it is constant.
export function mostExciting(statistics: LayerStatistics, filter: number, numBest: number): Exciting[] {
  const { filters, maxima, pixels } = statistics;
  const all: Exciting[] = [];
  const count = maxima.length / filters;
  for (let image = 0; image < count; image++) {
    all.push({ image, value: maxima[image * filters + filter], pixel: pixels[image * filters + filter] });
  }
  all.sort((a, b) => b.value - a.value || a.image - b.image);
  return isConstant(statistics, filter, count) ? [] : all.slice(0, numBest);
}

// True if a map or unit is constant on the first `count` images.
export function isConstant({ filters, maxima, minima }: LayerStatistics, filter: number, count: number): boolean {
  const first = maxima[filter];
  for (let i = 0; i < count; i++) {
    if (maxima[i * filters + filter] !== first || minima[i * filters + filter] !== first) return false;
  }
  return true;
}

export interface ClassMean {
  mean: number; // mean over the images of the maximum
  count: number; // images
}

// Averages a filter's maxima over the images of each class in the fair sample.
export function classMeans(
  { filters, maxima }: LayerStatistics,
  filter: number,
  labels: ArrayLike<number>,
  numSample: number,
  classes: number,
): ClassMean[] {
  const means = Array.from({ length: classes }, () => ({ mean: 0, count: 0 }));
  for (let i = 0; i < numSample; i++) {
    const ofClass = means[labels[i]];
    ofClass.count++;
    ofClass.mean += (maxima[i * filters + filter] - ofClass.mean) / ofClass.count;
  }
  return means;
}

// Correlates the values of each map of the layer with those of one map, over the fair sample.
export function activationLikeness({ filters, drawn }: LayerStatistics, filter: number): Float32Array {
  const numbers = drawn.length / filters;
  const valuesOf = (k: number) => Float32Array.from({ length: numbers }, (_, n) => drawn[n * filters + k]);
  const own = valuesOf(filter);
  return Float32Array.from({ length: filters }, (_, k) => correlation(own, valuesOf(k)));
}
