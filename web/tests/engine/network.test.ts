// The engine as WebAssembly, compared with the reference engine in Python.
import { describe, expect, test } from 'vitest';
import { product } from '../../src/engine/layers';
import { imagesOf, largestDifference, openEngine, readCases, uniform, unpacked, weightsOf } from './cases';

const TOLERANCE = 1e-4;
const engine = await openEngine();
const cases = await readCases();

describe.each(cases)('$architecture.name', (expected) => {
  const { architecture, seed, ablations } = expected;
  const weights = weightsOf(architecture, seed);
  const network = engine.network(architecture, weights);
  const images = imagesOf(architecture, seed + 100, 2);
  const size = images.length / 2;
  const K = network.numClasses;

  test('logits match the reference', () => {
    expect(largestDifference(network.logits(images), unpacked(expected.logits))).toBeLessThan(TOLERANCE);
  });

  test('every layer matches the reference', () => {
    const activations = network.activations(images);
    expect(activations.length).toBe(expected.activations.length);
    for (const [i, activation] of activations.entries()) {
      expect(largestDifference(activation, unpacked(expected.activations[i]))).toBeLessThan(TOLERANCE);
    }
  });

  test('the forward pass of an image is the same alone and among others', () => {
    const activations = network.activations(images);
    for (const i of [0, 1]) {
      const forward = network.forward(images.subarray(i * size, (i + 1) * size));
      const own = activations.map((all) => all.slice((i * all.length) / 2, ((i + 1) * all.length) / 2));
      expect(forward.activations).toEqual(own);
      expect(largestDifference(forward.logits, unpacked(expected.logits).slice(i * K, (i + 1) * K))).toBeLessThan(
        TOLERANCE,
      );
      expect(forward.probabilities.reduce((sum, p) => sum + p)).toBeCloseTo(1, 5);
      const log = forward.probabilities.map(Math.log);
      expect(log[1] - log[0]).toBeCloseTo(forward.logits[1] - forward.logits[0], 4);
    }
  });

  test('gradients with respect to layers and the image match the reference', () => {
    const dlogits = uniform(seed + 200, 2 * K, -1, 1);
    const names = Object.keys(expected.gradients);
    const gradients = network.layerGradients(images, dlogits, names);
    expect(names.length).toBe(network.table.length + 1);
    for (const name of names) {
      const first = gradients[name].slice(0, gradients[name].length / 2);
      expect(largestDifference(first, unpacked(expected.gradients[name]))).toBeLessThan(TOLERANCE);
    }
  });

  test('logits with ablations match the reference', () => {
    const logits = network.ablationLogits(images, ablations);
    expect(largestDifference(logits, unpacked(expected.ablationLogits))).toBeLessThan(TOLERANCE);
  });

  test('outputs with an ablation have the replacement value, and end in the same logits', () => {
    const logits = unpacked(expected.ablationLogits);
    for (const [l, ablation] of ablations.entries()) {
      const forward = network.forward(images.subarray(0, size), ablation);
      expect(largestDifference(forward.logits, logits.slice(2 * l * K, (2 * l + 1) * K))).toBeLessThan(TOLERANCE);
      for (const { layer, filter, value } of ablation) {
        const row = network.table.find((candidate) => candidate.layer.name === layer)!;
        if (row.index === network.table.length - 1) continue;
        const filters = row.outputShape.at(-1)!;
        const output = forward.activations[row.index].filter((_, i) => i % filters === filter);
        expect(output).toEqual(new Float32Array(product(row.outputShape) / filters).fill(value));
      }
    }
  });

  test('weights are read as they were written', () => {
    expect(network.weights()).toEqual(weights);
    expect(Object.keys(network.weights())).toEqual(Object.keys(weights));
    const others = weightsOf(architecture, seed + 7);
    network.setWeights(others);
    expect(network.weights()).toEqual(others);
    network.setWeights(weights);
    expect(largestDifference(network.logits(images), unpacked(expected.logits))).toBeLessThan(TOLERANCE);
  });
});

describe('what a network refuses', () => {
  const { architecture, seed } = cases[0];
  const weights = weightsOf(architecture, seed);
  const network = engine.network(architecture, weights);
  const image = imagesOf(architecture, 1, 1);

  test('weights that do not fit', () => {
    const { 'dense/bias': _, ...missing } = weights;
    expect(() => engine.network(architecture, missing)).toThrow('dense/bias are missing');
    const short = { ...weights, 'dense/bias': new Float32Array(9) };
    expect(() => network.setWeights(short)).toThrow('dense/bias has 9 numbers; the architecture needs 10');
  });

  test('images of another size, missing filters and layers, and values that are no numbers', () => {
    expect(() => network.logits(image.subarray(1))).toThrow('143 bytes');
    expect(() => network.forward(image, [{ layer: 'conv2d', filter: 4, value: 0 }])).toThrow('conv2d has no filter 4');
    expect(() => network.forward(image, [{ layer: 'conv', filter: 0, value: 0 }])).toThrow('no layer conv');
    expect(() => network.ablationLogits(image, [[{ layer: 'dense', filter: 0, value: NaN }]])).toThrow(
      'cannot give NaN',
    );
    expect(() => network.layerGradients(image, new Float32Array(9), ['input'])).toThrow('needs 10');
  });

  test('a call after it was freed', () => {
    const freed = engine.network(architecture, weights);
    freed.free();
    freed.free();
    expect(() => freed.logits(image)).toThrow('freed');
  });

  test('no images are no logits', () => {
    expect(network.logits(new Uint8Array())).toEqual(new Float32Array());
    expect(network.ablationLogits(new Uint8Array(), [[]])).toEqual(new Float32Array());
  });
});
