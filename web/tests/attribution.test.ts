// Maps of an explanation, and how they are judged: on small networks whose answer is known.
import { expect, test } from 'vitest';
import {
  differenceWeights,
  gradCam,
  gradientTimesInput,
  occlusion,
  overImage,
  patchFor,
} from '../src/analysis/attribution';
import { inkOf, likenessOverInk, markedFirst, randomRemoval, removalCurves, SHARES } from '../src/analysis/deletion';
import { isLinearAfter, splitOverMaps, splitOverUnits } from '../src/analysis/difference';
import { atOnce } from './at_once';
import type { Forward } from '../src/engine/network';
import type { LayerRow } from '../src/engine/types';
import { DenseNetwork } from './dense_network';

// A network of twenty pixels: the logit of class 0 is their sum with `weights`, that of class 1 is zero.
const weights = Array.from({ length: 20 }, (_, i) => i - 4);
const network = new DenseNetwork(
  { kernel: weights.map((_, i) => weights.map((_, k) => Number(i === k))), bias: weights.map(() => 0) },
  { kernel: weights.map((weight) => [weight, 0]), bias: [3, 1] },
);
const image = new Uint8Array(20).fill(2);
const difference = differenceWeights(2, 0, 1);

test('the split over units adds up to the difference of the logits', () => {
  const [flat, units, output] = network.activations(image);
  const forward = { activations: [flat, units, output], logits: output } as Forward;
  const split = splitOverUnits(network.table, network.weights, forward, Float32Array.from(image), 0, 1)!;
  expect(split.layer).toBe('hidden');
  expect(split.bias).toBe(2);
  expect(split.total).toBeCloseTo(output[0] - output[1], 4);
  expect(split.terms[0]).toEqual({ index: 19, value: 30, activation: 2, weight: 15 });
  expect(split.maps).toBeNull();
});

test('gradient x input is the contribution of each pixel relative to the background, summed over channels', () => {
  const input = { height: 1, width: 2, channels: 2, scale: 0.5, offset: -1 };
  const map = gradientTimesInput(Float32Array.of(1, 2, 3, 4), Uint8Array.of(10, 20, 255, 255), input, 255);
  expect([...map]).toEqual([0.5 * (-245 + 2 * -235), 0]);
});

test('Grad-CAM weights maps with their mean gradient and cuts at zero', () => {
  const row = { outputShape: [1, 2, 2] } as LayerRow;
  const map = gradCam(row, Float32Array.of(1, 1, 3, 10), Float32Array.of(4, -1, 0, -1));
  expect([...map]).toEqual([1, 0]); // weights 2 and -1: 2 - 1 and 6 - 10
});

test('a map over the image is centred on the receptive fields of its cells', () => {
  const row = {
    outputShape: [1, 2, 1],
    receptiveField: { size: [1, 2], jump: [1, 4], start: [0, 0] },
  } as unknown as LayerRow;
  // The receptive fields are centred on pixels 0.5 and 4.5.
  expect([...overImage(Float32Array.of(0, 8), row, 1, 6)]).toEqual([0, 1, 3, 5, 7, 8]);
});

test('occlusion by single pixels finds each pixel by itself', () => {
  const map = atOnce(occlusion(network.network, image, [1, 20, 1], { side: 1, stride: 1 }, 0, difference));
  expect([...map]).toEqual(weights.map((weight) => 2 * weight));
});

test('patches cover every pixel, whatever the size of the image', () => {
  for (const [height, width] of [
    [28, 28],
    [20, 32],
    [5, 9],
    [1, 20],
  ]) {
    const cells = new DenseNetwork(
      { kernel: Array.from({ length: height * width }, () => [1]), bias: [0] },
      { kernel: [[1, 0]], bias: [0, 0] },
    );
    const patch = patchFor(height, width);
    const drawn = new Uint8Array(height * width).fill(1);
    const map = atOnce(occlusion(cells.network, drawn, [height, width, 1], patch, 0, difference));
    expect(Math.min(...map)).toBeGreaterThan(0);
  }
});

test('removal by the true weights falls fastest, and no random order falls below it', () => {
  const positive = new DenseNetwork(network.hidden, { kernel: weights.map((_, i) => [i + 1, 0]), bias: [0, 0] });
  const ink = inkOf(image, 1, 0);
  expect(ink).toHaveLength(20);
  const order = markedFirst(
    Float32Array.from(weights, (_, i) => i + 1),
    ink,
  );
  expect(order[0]).toBe(19);
  const [curve] = atOnce(removalCurves(positive.network, image, 1, 0, [order], difference));
  const random = atOnce(randomRemoval(positive.network, image, 1, 0, difference));
  for (let s = 1; s < SHARES.length; s++) {
    expect(curve[s]).toBeLessThan(curve[s - 1]);
    expect(curve[s]).toBeLessThanOrEqual(random[s].low);
    expect(random[s].value).toBeGreaterThan(random[s].low);
  }
  expect(curve[0]).toBe(2 * 210);
});

test('a pixel that differs from the background in any channel is ink', () => {
  expect(inkOf(Uint8Array.of(0, 0, 0, 5, 9, 9), 2, 0)).toEqual([1, 2]);
  expect(inkOf(Uint8Array.of(255, 255, 0, 255), 2, 255)).toEqual([1]);
});

test('maps are correlated over the ink alone', () => {
  const ink = Array.from({ length: 12 }, (_, i) => i);
  const a = Float32Array.from({ length: 20 }, (_, i) => i);
  const b = Float32Array.from({ length: 20 }, (_, i) => (i < 12 ? -i : 100));
  expect(likenessOverInk(a, b, ink)).toBeCloseTo(-1, 12);
  expect(likenessOverInk(a, new Float32Array(20), ink)).toBeNull();
  expect(likenessOverInk(a, b, [1, 2])).toBeNull();
});

test('a split over maps is exact only if all later layers are linear', () => {
  const layers = (...kinds: [string, string][]) =>
    kinds.map(([kind, activation], index) => ({ index, layer: { kind, name: kind, activation } }) as LayerRow);
  const linear = layers(['Conv2D', 'relu'], ['GlobalAveragePooling2D', 'linear'], ['Dense', 'softmax']);
  const bent = layers(['Conv2D', 'relu'], ['Flatten', 'linear'], ['Dense', 'relu'], ['Dense', 'softmax']);
  expect(isLinearAfter(linear, linear[0])).toBe(true);
  expect(isLinearAfter(bent, bent[0])).toBe(false);
  const row = { ...linear[0], outputShape: [1, 2, 2] };
  const split = splitOverMaps(linear, row, Float32Array.of(1, 2, 3, 4), Float32Array.of(1, -1, 1, -1));
  expect(split.terms.map((term) => [term.index, term.value])).toEqual([
    [1, -6],
    [0, 4],
  ]);
  expect(split).toMatchObject({ total: -2, limit: 4, exact: true });
});
