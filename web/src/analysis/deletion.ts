// The deletion test of an attribution: the logit difference that remains when marked pixels are removed.
import type { Network } from '../engine/network';
import { weigh } from './attribution';
import { inPieces, type Work } from './slices';
import { randomNumbers, rankCorrelation, shuffle } from './statistics';

export const SHARES = Array.from({ length: 11 }, (_, i) => i / 20); // shares of the ink that are removed, up to a half
const NUM_ORDERS = 12; // random orders that are averaged
export const MIN_INK = 10; // pixels; with fewer there is no test

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

// Measures the logit difference after shares of the ink are set to the background, the first pixels of each order first:
// (orders, SHARES). Item n of the work is order floor(n / numShares) with share n % numShares.
export function* removalCurves(
  network: Network,
  pixels: Uint8Array,
  channels: number,
  background: number,
  orders: number[][],
  weights: Float32Array,
): Work<Float64Array[]> {
  const results = orders.map(() => new Float64Array(SHARES.length));
  const numShares = SHARES.length;
  yield* inPieces(orders.length * numShares, (from, to) => {
    const images = new Uint8Array((to - from) * pixels.length);
    for (let n = from; n < to; n++) {
      const order = orders[Math.floor(n / numShares)];
      const image = images.subarray((n - from) * pixels.length, (n - from + 1) * pixels.length);
      image.set(pixels);
      const removed = Math.round(order.length * SHARES[n % numShares]);
      for (let i = 0; i < removed; i++) image.fill(background, order[i] * channels, (order[i] + 1) * channels);
    }
    const logits = network.logits(images);
    for (let n = from; n < to; n++) {
      results[Math.floor(n / numShares)][n % numShares] = weigh(logits, (n - from) * weights.length, weights);
    }
  });
  return results;
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
