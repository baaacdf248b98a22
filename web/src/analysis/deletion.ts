// The deletion test of an attribution: the logit difference that remains when marked pixels are removed.
import type { Network } from '../engine/network';
import { weigh } from './attribution';
import { inPieces, type Work } from './slices';
import { randomNumbers, rankCorrelation, shuffle } from './statistics';

export const SHARES = Array.from({ length: 11 }, (_, i) => i / 20); // shares of the ink that are removed, up to a half
const NUM_ORDERS = 12; // random orders that are averaged
export const MIN_INK = 10; // pixels; with fewer the first twentieth rounds to no pixel, so there is no test

// Finds the pixels that differ from the background in any channel. Only they can be removed.
export function inkOf(pixels: Uint8Array, channels: number, background: number): number[] {
  const ink: number[] = [];
  for (let i = 0; i < pixels.length / channels; i++) {
    for (let c = 0; c < channels; c++) {
      if (pixels[i * channels + c] === background) continue;
      ink.push(i);
      break;
    }
  }
  return ink;
}

// Sorts the ink pixels by attribution, the most positive first.
export function markedFirst(map: Float32Array, ink: number[]): number[] {
  return [...ink].sort((a, b) => map[b] - map[a] || a - b);
}

// A point of the curve of a deletion test.
export interface CurvePoint {
  share: number; // share of the ink that is removed
  value: number; // the remaining logit difference
}

// The mean of several curves at that point, and their range.
export interface BandPoint extends CurvePoint {
  low: number;
  high: number;
}

// Measures the logit difference after each of SHARES of the ink is set to the background, from the beginning of an order of
// pixels. Makes a curve for each order.
export function* removalCurves(
  network: Network,
  pixels: Uint8Array,
  channels: number,
  background: number,
  orders: number[][],
  weights: Float32Array,
): Work<Float64Array[]> {
  const curves = orders.map(() => new Float64Array(SHARES.length));
  const points = orders.flatMap((order, o) => SHARES.map((share, s) => ({ order, share, curve: curves[o], s })));
  yield* inPieces(points.length, (from, to) => {
    const piece = points.slice(from, to);
    const images = new Uint8Array(piece.length * pixels.length);
    for (const [i, { order, share }] of piece.entries()) {
      const image = images.subarray(i * pixels.length, (i + 1) * pixels.length);
      image.set(pixels);
      const removed = order.slice(0, Math.round(order.length * share));
      for (const pixel of removed) image.fill(background, pixel * channels, (pixel + 1) * channels);
    }
    const logits = network.logits(images);
    for (const [i, { curve, s }] of piece.entries()) curve[s] = weigh(logits, i * weights.length, weights);
  });
  return curves;
}

// Removes the ink in random orders: the mean and the range of their curves, as a baseline.
export function* randomRemoval(
  network: Network,
  pixels: Uint8Array,
  channels: number,
  background: number,
  weights: Float32Array,
): Work<BandPoint[]> {
  const ink = inkOf(pixels, channels, background);
  const random = randomNumbers(1);
  const orders = Array.from({ length: NUM_ORDERS }, () => shuffle(ink, random));
  const curves = yield* removalCurves(network, pixels, channels, background, orders, weights);
  return SHARES.map((share, s) => {
    const values = curves.map((curve) => curve[s]);
    const value = values.reduce((sum, item) => sum + item, 0) / values.length;
    return { share, value, low: Math.min(...values), high: Math.max(...values) };
  });
}

// Computes Spearman's correlation of two maps over the ink; null with too little ink or a constant map.
export function likenessOverInk(a: Float32Array, b: Float32Array, ink: number[]): number | null {
  if (ink.length < MIN_INK) return null;
  const [x, y] = [a, b].map((map) => ink.map((i) => map[i]));
  const isConstant = (values: number[]) => values.every((value) => value === values[0]);
  return isConstant(x) || isConstant(y) ? null : rankCorrelation(x, y);
}
