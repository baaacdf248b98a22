// A training in the page: the order of images, the schedule, recipes of runs, and scores.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadEngine } from '../src/engine/engine';
import { initialWeights } from '../src/engine/initialization';
import type { Network, TrainingData } from '../src/engine/network';
import type { Architecture, TrainingSteps } from '../src/engine/types';
import { fast, parseRecipe, type Recipe } from '../src/training/recipe';
import { measure, Scores } from '../src/training/score';
import { permutation, splitMix } from '../src/training/shuffle';
import { Trainer } from '../src/training/trainer';

const plain: Recipe = {
  ...fast,
  epochs: 2,
  batchSize: 4,
  learningRate: 0.5,
  schedule: { kind: 'linear', warmup: 0 },
};

// Takes the place of a network and records the training steps.
function recorded(count: number, recipe: Recipe): { trainer: Trainer; requests: TrainingSteps[] } {
  const requests: TrainingSteps[] = [];
  const network = {
    train(_: TrainingData, steps: TrainingSteps) {
      requests.push(steps);
      return { images: steps.order.length, loss: 1, accuracy: 0.5 };
    },
  } as unknown as Network;
  return { trainer: new Trainer(network, { count } as TrainingData, recipe, 3), requests };
}

describe('a trainer', () => {
  test('shows every image once an epoch, in a new order, and the last batch may be short', () => {
    const { trainer, requests } = recorded(10, plain);
    expect(trainer.steps).toBe(6);
    while (!trainer.isDone) trainer.train(2);
    expect(requests.map((steps) => steps.order.length)).toEqual([8, 2, 8, 2]);
    expect(requests.map((steps) => steps.first)).toEqual([0, 8, 0, 8]);
    const epochs = [requests.slice(0, 2), requests.slice(2)].map((parts) => parts.flatMap((steps) => [...steps.order]));
    for (const order of epochs) expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(new Set(requests.map((steps) => steps.key)).size).toBe(2);
    expect(trainer.epoch).toBe(2);
  });

  test('follows the schedule over all epochs, and takes a changed learning rate at once', () => {
    const { trainer, requests } = recorded(10, plain);
    trainer.train(9); // up to the end of the epoch, after 3 of 6 steps
    trainer.learningRate = 5;
    trainer.train(9);
    // The rate of step i, from 0, is the full one times (6 - i) / 6.
    const rates = requests.flatMap((steps) => [...steps.learningRates]);
    const expected = [(0.5 * 6) / 6, (0.5 * 5) / 6, (0.5 * 4) / 6, (5 * 3) / 6, (5 * 2) / 6, (5 * 1) / 6];
    expected.forEach((rate, i) => expect(rates[i]).toBeCloseTo(rate, 6));
  });
});

describe('a recipe of a run', () => {
  test('is read, and unsupported settings are listed', () => {
    const { recipe, leftOut } = parseRecipe({
      name: 'mine',
      epochs: 3,
      batch_size: 32,
      optimizer: { kind: 'SGD', learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0 },
      schedule: { kind: 'cosine', warmup: 0.2 },
      label_smoothing: 0.05,
      augmentation: { shift: 2 },
      clip_norm: 1.5,
      averaging: 0.99,
      weight_bits: 4,
      class_weights: null,
      early_stopping: null,
      precision: 'float32',
    });
    expect(recipe).toMatchObject({ epochs: 3, batchSize: 32, learningRate: 0.1, clipNorm: 1.5, labelSmoothing: 0.05 });
    expect(recipe.optimizer).toEqual({ kind: 'SGD', momentum: 0.9, nesterov: true, weight_decay: 0 });
    expect(leftOut.map(({ what }) => what)).toEqual(['averaging', 'bits']);
  });
});

describe('scores', () => {
  test('count by label and prediction, and have the cross-entropy in nats', () => {
    const scores = new Scores(2);
    // Two images of class 0, to which the network gives probabilities 1/2 and 1/4.
    scores.add(Float32Array.from([0, 0, 0, Math.log(3)]), [0, 0]);
    const { count, correct, loss, confusion, predictions } = scores.score;
    expect([count, correct, confusion, predictions]).toEqual([2, 1, [[1, 1], [0, 0]], [0, 1]]); // prettier-ignore
    expect(loss).toBeCloseTo((Math.log(2) + Math.log(4)) / 2, 6);
  });
});

test('a permutation has every number once and follows from its key', () => {
  const order = permutation(1000, 7);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect(permutation(1000, 7)).toEqual(order);
  expect(permutation(1000, 8)).not.toEqual(order);
});

// Images of horizontal, vertical and diagonal bars, with noise.
function bars(count: number, seed: number): { images: Uint8Array; labels: Uint8Array } {
  const [rows, columns] = [12, 10];
  const next = splitMix(seed);
  const images = Uint8Array.from({ length: count * rows * columns }, () => next() % 96);
  const labels = Uint8Array.from({ length: count }, () => next() % 3);
  for (let n = 0; n < count; n++) {
    const at = 2 + (next() % 6);
    for (let i = 0; i < columns; i++) {
      const [row, column] = [
        [at, i],
        [i, at],
        [i, (i + at) % columns],
      ][labels[n]];
      images[(n * rows + row) * columns + column] = 255;
    }
  }
  return { images, labels };
}

const network: Architecture = {
  name: 'bars',
  input: { height: 12, width: 10, channels: 1, scale: 1 / 255, offset: 0 },
  layers: [
    {
      kind: 'Conv2D',
      name: 'conv2d',
      filters: 8,
      kernel_size: [3, 3],
      strides: [1, 1],
      padding: 'same',
      activation: 'relu',
      use_bias: true,
    },
    { kind: 'MaxPooling2D', name: 'max_pooling2d', pool_size: [2, 2], strides: [2, 2], padding: 'valid' },
    { kind: 'Flatten', name: 'flatten' },
    { kind: 'Dropout', name: 'dropout', rate: 0.2 },
    { kind: 'Dense', name: 'dense', units: 3, activation: 'softmax', use_bias: true },
  ],
};

describe('the engine of the page', () => {
  const path = new URL('../../src/convscope/report/bundle/engine.wasm', import.meta.url);

  test('learns bars: from chance, a third, to nine of ten new images', async () => {
    expect(existsSync(path)).toBe(true);
    const engine = await loadEngine(readFileSync(path));
    const [seen, unseen] = [bars(600, 1), bars(300, 2)];
    const trained = engine.network(network, initialWeights(network, 0));
    const before = measure(trained, unseen.images, unseen.labels, 3);
    expect(before.correct).toBeLessThan(200);
    const recipe = { ...fast, epochs: 6, batchSize: 20 };
    const trainer = new Trainer(trained, engine.trainingData(seen.images, seen.labels), recipe, 0);
    while (!trainer.isDone) trainer.train(10);
    const after = measure(trained, unseen.images, unseen.labels, 3);
    expect(after.correct).toBeGreaterThanOrEqual(270);
    expect(after.loss).toBeLessThan(before.loss);
  });

  test('gives the same weights for the same seed, in pieces of any size', async () => {
    const engine = await loadEngine(readFileSync(path));
    const { images, labels } = bars(100, 1);
    const run = (piece: number) => {
      const data = engine.trainingData(images, labels);
      const trainer = new Trainer(
        engine.network(network, initialWeights(network, 1)),
        data,
        { ...fast, batchSize: 8 },
        1,
      );
      while (!trainer.isDone) trainer.train(piece);
      return trainer.weights();
    };
    expect(run(1)).toEqual(run(100));
  });
});
