// The colour scale of a layer. It is fixed, so that images can be compared and the maps of an empty pad are dark.
import { beforeOf, earlierOf } from '../engine/architecture';
import type { Input, LayerRow } from '../engine/types';

export interface Range {
  low: number;
  high: number;
}

const NEVER_BELOW_ZERO = ['relu', 'relu6', 'sigmoid', 'softmax'];
const WITH_WEIGHTS = [
  'Conv2D',
  'DepthwiseConv2D',
  'Dense',
  'BatchNormalization',
  'LayerNormalization',
  'GroupNormalization',
];

// True for each layer whose output can be negative for some image and weights.
export function signedLayers(input: Input, table: LayerRow[]): boolean[] {
  const signed: boolean[] = [];
  const imageIsSigned = input.offset < 0 || input.offset + 255 * input.scale < 0;
  for (const [i, { layer }] of table.entries()) {
    const signedAt = (index: number) => (index < 0 ? imageIsSigned : signed[index]);
    const before = signedAt(beforeOf(table, i));
    const earlier = earlierOf(table, i);
    if (NEVER_BELOW_ZERO.includes(layer.activation ?? 'linear')) signed.push(false);
    else if (WITH_WEIGHTS.includes(layer.kind)) signed.push(true);
    else signed.push(before || (earlier !== null && signedAt(earlier)));
  }
  return signed;
}

const SHARE = 0.9; // of the images, whose largest value is within the scale

// Chooses where a layer's colours end, from the largest magnitude of its output for each of several images.
export function scaleOf(peaks: number[]): number {
  const high = peaks.sort((a, b) => a - b)[Math.floor(SHARE * (peaks.length - 1))];
  const unit = 10 ** (Math.floor(Math.log10(high)) - 1); // a number of two digits
  return high > 0 ? Number((Math.ceil(high / unit - 1e-9) * unit).toPrecision(2)) : 1;
}

// The range of colours that ends in `high`. Zero is in the middle if values can be negative.
export const rangeTo = (high: number, signed: boolean): Range => ({ low: signed ? -high : 0, high });

// Reads one map, (rows, columns), of values (pixels, maps).
export function mapOf(values: ArrayLike<number>, maps: number, map: number): Float32Array {
  return Float32Array.from({ length: values.length / maps }, (_, i) => values[i * maps + map]);
}
