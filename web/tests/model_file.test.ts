// A model file of the page, compared with the bytes that Python's safetensors writes for the same model.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Recipe } from '../src/training/recipe';
import type { WrittenRecipe } from '../src/engine/types';
import { parseRecipe, writeRecipe } from '../src/training/recipe';
import { modelFile, provenanceOf, type TrainedModel } from '../src/training/model_file';
import { openEngine, readCases, readSteps, relativeDifference, weightsOf } from './engine/cases';

const { architecture, seed } = (await readCases()).find((candidate) => candidate.architecture.name === 'residual')!;
const expected = (await readSteps()).model;
const description = expected.description as {
  class_names: string[];
  handwriting: object;
  provenance: { recipe: WrittenRecipe };
};
const recipe: Recipe = {
  name: 'mine',
  epochs: 3,
  batchSize: 32,
  learningRate: 0.05,
  optimizer: { kind: 'SGD', momentum: 0.9, nesterov: true, weight_decay: 0 },
  schedule: { kind: 'cosine', warmup: 0.25 },
  labelSmoothing: 0.125,
  clipNorm: 2.5,
  augmentation: (description.provenance.recipe as WrittenRecipe).augmentation,
};
const model: TrainedModel = {
  architecture: { ...architecture, name: 'residual, changed' },
  weights: weightsOf(architecture, seed),
  classNames: description.class_names,
  provenance: provenanceOf({ dataset: 'drawn', numImages: 100, wrongLabels: 0.25, recipe, seed: 5, epoch: 3 }),
  handwriting: description.handwriting,
};

test('a model file has the bytes that Python writes', async () => {
  const file = await readFile(new URL('fixtures/page_model.safetensors', import.meta.url));
  const bytes = modelFile(model);
  expect(new TextDecoder().decode(bytes.subarray(0, 4000))).toBe(new TextDecoder().decode(file.subarray(0, 4000)));
  expect(bytes).toEqual(new Uint8Array(file));
});

test('the page computes the logits that Python computes for the file', async () => {
  const network = (await openEngine()).network(model.architecture, model.weights);
  const logits = network.logits(Uint8Array.from(expected.images.flat(3)));
  expect(relativeDifference(logits, expected.logits.flat())).toBeLessThan(1e-4);
});

test('a written recipe is read as the same recipe', () => {
  for (const original of [recipe, { ...recipe, classWeights: 'balanced' as const }]) {
    expect(parseRecipe(writeRecipe(original))).toEqual({ recipe: original, leftOut: [] });
  }
});

test('a diverged network, and class names that do not fit, are refused', () => {
  const weights = { ...model.weights, 'dense/bias': Float32Array.of(0, NaN, 0, 0) };
  expect(() => modelFile({ ...model, weights })).toThrow('training.save.notFinite {"name":"dense/bias"}');
  expect(() => modelFile({ ...model, classNames: ['a'] })).toThrow('training.save.classNames {"n":1,"classes":4}');
  expect(() => modelFile({ ...model, weights: {} })).toThrow('are missing');
});
