// The deletion test of an attribution: the logit difference that remains when marked pixels are removed.
import type { Network } from '../engine/network';
import { weigh } from './attribution';
import { inPieces, type Work } from './schedule';
import { randomNumbers, rankCorrelation, shuffle } from './statistics';

export const SHARES = Array.from({ length: 11 }, (_, i) => i / 20); // of the ink that are removed, up to a half
const ORDERS = 12; // random ones
export const MIN_INK = 10; // pixels; with fewer there is no test

// The pixels that differ from the background in any channel. Only they can be removed.
export function inkOf(pixels: Uint8Array, channels: number, ground: number): number[] {
  const ink: number[] = [];
  for (let i = 0; i < pixels.length / channels; i++) {
    for (let c = 0; c < channels; c++) {
      if (pixels[i * channels + c] === ground) continue;
      ink.push(i);
      break;
    }
  }
  return ink;
}

// The ink pixels by attribution, the most positive first.
export function markedFirst(map: Float32Array, ink: number[]): number[] {
  return [...ink].sort((a, b) => map[b] - map[a] || a - b);
}

export interface Curve {
  share: number; // of the ink that is removed
  value: number; // the logit difference that is left
}

export interface Band extends Curve {
  low: number;
  high: number;
}

// The difference after the first pixels of each order are set to the background: (orders, shares).
export function* removalCurves(
  network: Network,
  pixels: Uint8Array,
  channels: number,
  ground: number,
  orders: number[][],
  weights: Float32Array,
): Work<Float64Array[]> {
  const results = orders.map(() => new Float64Array(SHARES.length));
  const steps = SHARES.length;
  yield* inPieces(orders.length * steps, (from, to) => {
    const images = new Uint8Array((to - from) * pixels.length);
    for (let n = from; n < to; n++) {
      const order = orders[Math.floor(n / steps)];
      const image = images.subarray((n - from) * pixels.length, (n - from + 1) * pixels.length);
      image.set(pixels);
      const removed = Math.round(order.length * SHARES[n % steps]);
      for (let i = 0; i < removed; i++) image.fill(ground, order[i] * channels, (order[i] + 1) * channels);
    }
    const logits = network.logits(images);
    for (let n = from; n < to; n++) {
      results[Math.floor(n / steps)][n % steps] = weigh(logits, (n - from) * weights.length, weights);
    }
  });
  return results;
}

// Random orders of the same ink: their mean, and the range of all of them.
export function* randomRemoval(
  network: Network,
  pixels: Uint8Array,
  channels: number,
  ground: number,
  weights: Float32Array,
): Work<Band[]> {
  const ink = inkOf(pixels, channels, ground);
  const random = randomNumbers(1);
  const orders = Array.from({ length: ORDERS }, () => shuffle(ink, random));
  const curves = yield* removalCurves(network, pixels, channels, ground, orders, weights);
  return SHARES.map((share, s) => {
    const values = curves.map((curve) => curve[s]);
    const value = values.reduce((sum, item) => sum + item, 0) / values.length;
    return { share, value, low: Math.min(...values), high: Math.max(...values) };
  });
}

// Spearman's correlation of two maps over the ink; null with too little ink or a constant map.
export function likenessOverInk(a: Float32Array, b: Float32Array, ink: number[]): number | null {
  if (ink.length < MIN_INK) return null;
  const [x, y] = [a, b].map((map) => ink.map((i) => map[i]));
  const flat = (values: number[]) => values.every((value) => value === values[0]);
  return flat(x) || flat(y) ? null : rankCorrelation(x, y);
}
