// One training step in parts, compared with the reference engine in Python.
import { describe, expect, test } from 'vitest';
import { takeStepInParts, type StepRequest } from '../src/training/update';
import { imagesOf, openEngine, readCases, readSteps, relativeDifference, unpacked, weightsOf } from './engine/cases';

const engine = await openEngine();
const cases = await readCases();
const { cases: steps, orders, learningRates, labelSmoothing, key } = await readSteps();
const TOLERANCE = 1e-4;
const updates = steps.flatMap(({ name, updates }) =>
  updates.map((update) => ({ name, kind: update.optimizer.kind, update })),
);

describe.each(updates)('a step of $name by $kind', ({ name, update: expected }) => {
  const { architecture, seed } = cases.find((candidate) => candidate.architecture.name === name)!;
  const weights = weightsOf(architecture, seed);
  const classes = architecture.layers.findLast((layer) => layer.units !== undefined)!.units!;
  const labels = Array.from({ length: 12 }, (_, i) => i % classes);
  const data = engine.trainingData(imagesOf(architecture, seed + 100, 12), labels);
  const request = (step: number): Omit<StepRequest, 'weights' | 'optimizer'> => ({
    architecture,
    data,
    steps: {
      order: Int32Array.from(orders[step]),
      batchSize: 8,
      learningRates: Float32Array.of(learningRates[step]),
      optimizer: expected.optimizer,
      labelSmoothing,
      classWeights: Array.from({ length: classes }, (_, k) => 0.5 + 0.25 * (k % 4)),
      clipNorm: expected.clipNorm ?? undefined,
      augmentation: { shift: 1 },
      key,
    },
    watched: imagesOf(architecture, seed + 300, 2),
  });
  const { after: start } = takeStepInParts(engine, { ...request(0), weights, optimizer: null });
  const update = takeStepInParts(engine, { ...request(1), ...start });

  test('has the gradients of the reference in the same mode, and their norm', () => {
    expect(Math.abs(update.loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
    expect(Math.abs(update.gradientNorm / expected.norm - 1)).toBeLessThan(TOLERANCE);
    expect(Object.keys(update.gradients).sort()).toEqual(Object.keys(expected.gradients).sort());
    for (const [name, values] of Object.entries(expected.gradients)) {
      expect(relativeDifference(update.gradients[name], unpacked(values)), name).toBeLessThan(TOLERANCE);
    }
    const factor = expected.clipNorm === null ? 1 : Math.min(1, expected.clipNorm / expected.norm);
    expect(update.clipFactor).toBeCloseTo(factor, 4);
    if (expected.clipNorm !== null) expect(update.clipFactor).toBeLessThan(1); // otherwise the case would not test clipping
  });

  test('ends in the weights, the optimizer state and the logits of the reference', () => {
    const { before, after } = update;
    expect([before.optimizer.steps, after.optimizer.steps]).toEqual([1, 2]);
    expect(before).toEqual(start);
    for (const [name, values] of Object.entries(expected.weights)) {
      expect(relativeDifference(after.weights[name], unpacked(values)), name).toBeLessThan(TOLERANCE);
    }
    for (const part of ['m', 'v'] as const) {
      for (const [name, values] of Object.entries(expected[part])) {
        expect(relativeDifference(after.optimizer[part][name], unpacked(values)), `${part} ${name}`).toBeLessThan(
          TOLERANCE,
        );
      }
    }
    expect(relativeDifference(before.logits, unpacked(expected.logitsBefore))).toBeLessThan(TOLERANCE);
    expect(relativeDifference(after.logits, unpacked(expected.logitsAfter))).toBeLessThan(TOLERANCE);
  });
});

test('one update takes one batch', () => {
  const { architecture, seed } = cases[0];
  const data = engine.trainingData(imagesOf(architecture, seed, 2), [0, 1]);
  const steps = {
    order: Int32Array.of(0, 1),
    batchSize: 1,
    learningRates: Float32Array.of(1, 1),
    optimizer: { kind: 'SGD' },
  };
  const weights = weightsOf(architecture, seed);
  const request = { architecture, weights, optimizer: null, data, steps, watched: new Uint8Array() };
  expect(() => takeStepInParts(engine, request)).toThrow('One update takes one batch');
});
