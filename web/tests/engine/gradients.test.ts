// Gradients, optimizer states and augmented images, compared with the reference engine in Python.
import { describe, expect, test } from 'vitest';
import { imagesOf, openEngine, readCases, readSteps, relativeDifference, unpacked, weightsOf } from './cases';

const engine = await openEngine();
const cases = await readCases();
const steps = await readSteps();
const TOLERANCE = 1e-4;

describe.each(steps.cases)('$name', ({ name, gradients: expected }) => {
  const { architecture, seed } = cases.find((candidate) => candidate.architecture.name === name)!;
  const network = engine.network(architecture, weightsOf(architecture, seed));
  const labels = Array.from({ length: 12 }, (_, i) => i % network.numClasses);
  const data = engine.trainingData(imagesOf(architecture, seed + 100, 12), labels);
  const { labelSmoothing, classWeights } = expected;
  const batch = { order: Int32Array.from(expected.order), labelSmoothing, classWeights };

  test('the loss and its gradients with respect to the weights match the reference', () => {
    const { loss, images, weights } = network.gradients(data, batch);
    expect(images).toBe(expected.order.length);
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
    expect(Object.keys(weights).sort()).toEqual(Object.keys(expected.weights).sort());
    for (const [weight, values] of Object.entries(expected.weights)) {
      expect(relativeDifference(weights[weight], unpacked(values)), weight).toBeLessThan(TOLERANCE);
    }
  });

  test('computing gradients changes nothing, and the optimizer returns the state that was set', () => {
    const before = [network.weights(), network.optimizerState()];
    network.gradients(data, { ...batch, key: 3 }, 'step');
    expect([network.weights(), network.optimizerState()]).toEqual(before);
    const { m } = network.optimizerState();
    const ones = Object.fromEntries(
      Object.entries(m).map(([weight, { length }]) => [weight, new Float32Array(length).fill(1)]),
    );
    const state = { steps: 7, m: ones, v: m };
    network.setOptimizerState(state);
    expect(network.optimizerState()).toEqual(state);
    network.resetOptimizer();
    expect(network.optimizerState()).toEqual(before[1]);
  });
});

test('the gradient of many images is the mean of their gradients, at once and one by one', () => {
  const { architecture, seed } = cases[0];
  const network = engine.network(architecture, weightsOf(architecture, seed));
  const images = imagesOf(architecture, seed, 300);
  const data = engine.trainingData(
    images,
    Array.from({ length: 300 }, (_, i) => i % 10),
  );
  const mean = new Float64Array(10);
  for (let i = 0; i < 300; i++) {
    network
      .gradients(data, { order: Int32Array.of(i) })
      .weights['dense/bias'].forEach((value, k) => (mean[k] += value / 300));
  }
  const all = network.gradients(data, { order: Int32Array.from({ length: 300 }, (_, i) => i) });
  expect(relativeDifference(all.weights['dense/bias'], mean)).toBeLessThan(TOLERANCE);
});

test('class weights and states that do not fit are refused', () => {
  const { architecture, seed } = cases[0];
  const network = engine.network(architecture, weightsOf(architecture, seed));
  const data = engine.trainingData(imagesOf(architecture, 1, 1), [0]);
  const order = Int32Array.of(0);
  expect(() => network.gradients(data, { order, classWeights: [1] })).toThrow('must be 10 numbers of at least 0');
  expect(() => network.gradients(data, { order: Int32Array.of(1) })).toThrow('images from 0 to 0');
  const state = network.optimizerState();
  expect(() => network.setOptimizerState({ ...state, steps: -1 })).toThrow('-1 is not a number of steps');
  expect(() => network.setOptimizerState({ ...state, v: {} })).toThrow('conv2d/kernel of v are missing');
});

test('labels can be changed, and images are returned unchanged', () => {
  const data = engine.trainingData(Uint8Array.of(1, 2, 3, 4, 5, 6), [0, 1, 2]);
  expect(data.images([2, 0])).toEqual(Uint8Array.of(5, 6, 1, 2));
  data.setLabels([4, 0, 1]);
  expect([data.largestLabel, [...data.labels]]).toEqual([4, [4, 0, 1]]);
  expect(() => data.setLabels([1])).toThrow('1 labels for 3 images');
  expect(() => data.setLabels([0, -1, 0])).toThrow('A label is -1');
  expect(() => data.images([3])).toThrow('no image 3');
});

describe('augmented copies of an image', () => {
  test.each(steps.augmented)('are those of the reference for $augmentation', (expected) => {
    const { shape, augmentation, key, first, image, copies } = expected;
    const count = copies.length / image.length;
    const own = engine.augmented(Uint8Array.from(image), shape, augmentation, { copies: count, key, first });
    const largest = own.reduce((difference, value, i) => Math.max(difference, Math.abs(value - copies[i])), 0);
    // Where an image is read between its pixels, rounding may decide otherwise.
    expect(largest).toBeLessThanOrEqual('rotation' in augmentation ? 1 : 0);
    expect(own).not.toEqual(
      engine.augmented(Uint8Array.from(image), shape, augmentation, { copies: count, key, first: 0 }),
    );
  });

  test('without an augmentation are the image, and of a wrong size are refused', () => {
    const image = Uint8Array.of(1, 2, 3, 4);
    expect(engine.augmented(image, [2, 2, 1], {}, { copies: 2, key: 0 })).toEqual(
      Uint8Array.of(1, 2, 3, 4, 1, 2, 3, 4),
    );
    expect(() => engine.augmented(image, [2, 3, 1], {}, { copies: 1, key: 0 })).toThrow(
      'An image has 6 bytes here, not 4',
    );
    expect(() => engine.augmented(image, [2, 2, 1], {}, { copies: -1, key: 0 })).toThrow('-1 is not a whole number');
  });
});
