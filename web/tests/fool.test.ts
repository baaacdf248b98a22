// The smallest change for another prediction, and the predictions along it and along a morph.
import { describe, expect, test } from 'vitest';
import { predictAlong, interpolate, applyChange, sizeOf, smallestChange } from '../src/analysis/fool';
import { largest } from '../src/analysis/largest';
import { answersAlong, classesAlong, signedMap, firstOfClass } from '../src/bench/fool/along';
import { softmax } from '../src/engine/softmax';
import type { Architecture } from '../src/engine/types';
import { atOnce } from './at_once';
import { imagesOf, openEngine, readCases, uniform, weightsOf } from './engine/cases';

const engine = await openEngine();
const cases = await readCases();

// The networks for which some small change gives the second most likely class.
const REACHABLE = ['valid', 'letters', 'ann', 'wide', 'padded', 'activated', 'spread', 'branches'];

describe.each(cases.map(({ architecture, seed }) => ({ name: architecture.name, architecture, seed })))(
  '$name',
  ({ architecture, seed }) => {
    const network = engine.network(architecture, weightsOf(architecture, seed));
    const image = imagesOf(architecture, seed + 100, 1);
    const logits = network.logits(image);
    const wanted = largest(logits, largest(logits));

    const { change, succeeded } = atOnce(smallestChange(network, image, wanted));
    const after = network.logits(applyChange(image, change, 1));

    test.runIf(REACHABLE.includes(architecture.name))(
      'gives the wanted prediction, and nine tenths of it do not',
      () => {
        expect(succeeded).toBe(true);
        expect(largest(after)).toBe(wanted);
        expect(largest(network.logits(applyChange(image, change, 0.9)))).not.toBe(wanted);
        expect(applyChange(image, change, 0)).toEqual(image);
      },
    );

    // These networks predict the wanted class for none of 500 images of noise either.
    test.runIf(!REACHABLE.includes(architecture.name))('comes nearer to a prediction that it does not reach', () => {
      expect(succeeded).toBe(false);
      const gap = (of: Float32Array) => of[largest(of)] - of[wanted];
      expect(gap(after)).toBeLessThan(gap(logits));
    });
  },
);

const linear: Architecture = {
  name: 'linear',
  input: { height: 6, width: 6, channels: 1, scale: 1 / 255, offset: 0 },
  layers: [
    { kind: 'Flatten', name: 'flatten' },
    { kind: 'Dense', name: 'dense', units: 3, activation: 'softmax', use_bias: true },
  ],
};

test('for a linear network it is the shortest way to the decision boundary', () => {
  const kernel = uniform(3, 36 * 3, -1, 1);
  const network = engine.network(linear, { 'dense/kernel': kernel, 'dense/bias': Float32Array.of(0.2, 0, -3) });
  const image = new Uint8Array(36).fill(128);
  const logits = network.logits(image);
  const [predicted, wanted] = [largest(logits), largest(logits, largest(logits))];
  const { change } = atOnce(smallestChange(network, image, wanted));
  const normal = Array.from({ length: 36 }, (_, i) => (kernel[3 * i + wanted] - kernel[3 * i + predicted]) / 255);
  const length = Math.hypot(...normal);
  expect(Math.hypot(...change) / ((logits[predicted] - logits[wanted]) / length)).toBeCloseTo(1, 1);
  const product = change.reduce((sum, value, i) => sum + value * normal[i], 0);
  expect(product / length / Math.hypot(...change)).toBeGreaterThan(0.999); // along the normal of the boundary
});

test('without a gradient nothing is found', () => {
  const network = engine.network(linear, {
    'dense/kernel': new Float32Array(108),
    'dense/bias': Float32Array.of(1, 0, 0),
  });
  expect(atOnce(smallestChange(network, new Uint8Array(36), 1)).succeeded).toBe(false);
});

test('a morph begins and ends at its images, and has the predictions of the network', () => {
  const { architecture, seed } = cases[0];
  const network = engine.network(architecture, weightsOf(architecture, seed));
  const [from, to] = [imagesOf(architecture, 1, 1), imagesOf(architecture, 2, 1)];
  expect([interpolate(from, to, 0), interpolate(from, to, 1)]).toEqual([from, to]);
  const along = atOnce(predictAlong(network, (share) => interpolate(from, to, share), [0, 0.5, 1]));
  const expected = softmax(network.logits(to), network.numClasses);
  expect(along.probabilities[2]).toEqual(expected);
  expect(along.predictions[2]).toBe(largest(expected));
  const names = Array.from({ length: network.numClasses }, (_, k) => `class ${k}`);
  const lines = classesAlong(along, names, [3, 5, 3]);
  expect(lines.slice(0, 2).map(({ name }) => name)).toEqual(['class 3', 'class 5']);
  expect(lines[0].points[2]).toEqual([1, expected[3]]);
});

test('each class that is the answer somewhere has a line, and the answers are listed with where they begin', () => {
  const rows = [
    [0.3, 0.14, 0.14, 0.14, 0.14, 0.14],
    [0.1, 0.3, 0.15, 0.15, 0.15, 0.15],
    [0.1, 0.25, 0.25, 0.25, 0.15, 0],
    [0.16, 0.16, 0.16, 0.16, 0.17, 0.19],
  ];
  const probabilities = rows.map((row) => Float32Array.from(row));
  const along = { shares: [0, 1, 1.1875, 2], probabilities, predictions: [0, 1, 1, 5] };
  const names = ['7', '8', '3', '2', '1', '0'];
  // The last answer is likely nowhere, and two that never are the answer reach a quarter.
  expect(classesAlong(along, names, [0, 1]).map(({ name }) => name)).toEqual(['7', '8', '0', '3']);
  expect(answersAlong(along, names)).toBe('7 from ε = 0, 8 from ε = 1, 0 from ε = 2');
  expect(answersAlong({ ...along, predictions: [0, 1, 5, 5] }, names)).toContain('0 from ε = 1.19');
});

test('a change is shown by the strongest channel of each pixel, and measured in grey levels', () => {
  const [from, to] = [Uint8Array.of(10, 20, 30, 40), Uint8Array.of(12, 15, 30, 40)];
  expect(signedMap(from, to, 2)).toEqual([Float32Array.of(-5, 0), 5]);
  expect(signedMap(from, from, 1)[1]).toBe(1);
  expect(sizeOf(from, to)).toEqual({ mean: 7 / 4, largest: 5 });
  expect(firstOfClass({ labels: [3, 1, 3], count: 3 }, 3, 0)).toBe(2);
  expect(firstOfClass({ labels: [3, 1, 3], count: 3 }, 0, -1)).toBeNull();
});
