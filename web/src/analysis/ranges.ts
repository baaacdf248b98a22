// Value ranges of a layer's maps, for their colour scales.
import { beforeOf, earlierOf } from '../engine/architecture';
import type { Input, LayerRow } from '../engine/types';

export interface Range {
  low: number;
  high: number;
}

const NEVER_BELOW_ZERO = ['relu', 'relu6', 'sigmoid', 'softmax'];
const WITH_WEIGHTS = ['Conv2D', 'DepthwiseConv2D', 'Dense', 'BatchNormalization'];

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

// Computes the range of each map of values (pixels, maps): [0, max], or [-max, max] if values can be negative.
export function mapRanges(values: ArrayLike<number>, maps: number, signed: boolean): Range[] {
  const highest = new Float64Array(maps);
  for (let i = 0, map = 0; i < values.length; i++) {
    const size = signed ? Math.abs(values[i]) : values[i];
    if (size > highest[map]) highest[map] = size;
    if (++map === maps) map = 0;
  }
  return Array.from(highest, (high) => ({ low: signed ? -high : 0, high }));
}

// Joins the ranges of a layer's maps.
export function wholeRange(ranges: Range[]): Range {
  const high = ranges.reduce((highest, range) => Math.max(highest, range.high), 0);
  return { low: ranges.some((range) => range.low < 0) ? -high : 0, high };
}
