// All gradients of the loss of one image, compared with the reference engine in Python.
import { describe, expect, test } from 'vitest';
import { backward } from '../src/analysis/backward';
import { imagesOf, openEngine, readCases, readSteps, relativeDifference, unpacked, weightsOf } from './engine/cases';

const engine = await openEngine();
const cases = await readCases();
const { cases: steps } = await readSteps();
const TOLERANCE = 1e-4;

describe.each(steps)('the backward pass through $name', ({ name, oneImage: expected }) => {
  const { architecture, seed } = cases.find((candidate) => candidate.architecture.name === name)!;
  const network = engine.network(architecture, weightsOf(architecture, seed));
  const image = imagesOf(architecture, seed + 100, 1);

  test('has the gradients of the reference, with their signs', () => {
    const result = backward(engine, network, image, expected.label);
    expect(Math.abs(result.loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
    expect(relativeDifference(result.logits, unpacked(expected.logits))).toBeLessThan(TOLERANCE);
    expect(relativeDifference(result.dlogits, unpacked(expected.dlogits))).toBeLessThan(TOLERANCE);
    for (const part of ['layers', 'weights'] as const) {
      expect(Object.keys(result[part]).sort()).toEqual(Object.keys(expected[part]).sort());
      for (const [name, values] of Object.entries(expected[part])) {
        expect(relativeDifference(result[part][name], unpacked(values)), name).toBeLessThan(TOLERANCE);
      }
    }
  });

  test('starts from probabilities less the target, smoothed and weighted', () => {
    const classWeights = Array.from({ length: network.numClasses }, (_, k) => 1 + k);
    const plain = backward(engine, network, image, 1);
    const { dlogits, target, probabilities, loss } = backward(engine, network, image, 1, {
      labelSmoothing: 0.2,
      classWeights,
    });
    const K = network.numClasses;
    expect(target[0]).toBeCloseTo(0.2 / K, 6);
    expect(target[1]).toBeCloseTo(0.8 + 0.2 / K, 6);
    dlogits.forEach((value, k) => expect(value).toBeCloseTo(2 * (probabilities[k] - target[k]), 6));
    const expected = -2 * probabilities.reduce((sum, p, k) => sum + target[k] * Math.log(p), 0);
    expect(loss).toBeCloseTo(expected, 4);
    expect(plain.loss).toBeCloseTo(-Math.log(probabilities[1]), 4);
  });
});
