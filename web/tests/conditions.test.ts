// Training on a few images or with wrong labels, and the scores after an epoch.
import { describe, expect, test } from 'vitest';
import { initialWeights } from '../src/engine/initialization';
import type { Architecture, TrainingSteps } from '../src/engine/types';
import type { Network, TrainingData } from '../src/engine/network';
import { chooseImages } from '../src/training/conditions';
import { accuracyOf, measureEpoch, MAX_MEASURED } from '../src/training/epoch';
import { classWeightsFor, fast, type Recipe } from '../src/training/recipe';
import { Trainer } from '../src/training/trainer';
import { atOnce } from './at_once';
import { openEngine, uniform } from './engine/cases';
import { refusal } from './refusal';

const own = Uint8Array.from({ length: 1000 }, (_, i) => (i < 900 ? i % 10 : i % 2)); // classes 0 and 1 have more
const choose = (images: number | null, wrongLabels = 0, seed = 1) =>
  chooseImages(own, 10, { images, wrongLabels }, seed);

function counts(labels: ArrayLike<number>): number[] {
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]]++;
  return counts;
}

describe('images to train on', () => {
  test('are balanced over the classes, without duplicates', () => {
    const { indices, labels, wrong } = choose(20);
    expect(counts(labels)).toEqual(new Array(10).fill(2));
    expect(new Set(indices).size).toBe(20);
    expect([...labels]).toEqual(Array.from(indices, (i) => own[i]));
    expect(Math.max(...wrong)).toBe(0);
    expect(counts(choose(25).labels).sort()).toEqual([2, 2, 2, 2, 2, 3, 3, 3, 3, 3]);
    // Of eight classes there are only 90 each; the two others share the remaining 260.
    expect(counts(choose(980).labels)).toEqual([130, 130, ...new Array<number>(8).fill(90)]);
  });

  test('are all images if as many or more are requested', () => {
    for (const images of [null, 5000]) {
      expect([...choose(images).indices].sort((a, b) => a - b)).toEqual(Array.from(own.keys()));
    }
  });

  test('follow from the seed, and a smaller number is the beginning of a larger one', () => {
    expect(choose(20)).toEqual(choose(20));
    expect(choose(20, 0, 2).indices).not.toEqual(choose(20).indices);
    expect(choose(100).indices.subarray(0, 20)).toEqual(choose(20).indices);
  });

  test('have the share of wrong labels, each of another class', () => {
    const { indices, labels, wrong } = choose(100, 0.3);
    expect(wrong.reduce((sum, value) => sum + value, 0)).toBe(30);
    indices.forEach((image, i) => expect(labels[i] !== own[image]).toBe(wrong[i] === 1));
    expect(Math.max(...labels)).toBeLessThan(10);
    expect(indices).toEqual(choose(100).indices);
    // Of two classes, the wrong one is the other.
    const binary = chooseImages(
      own.map((label) => label % 2),
      2,
      { images: 20, wrongLabels: 0.5 },
      1,
    );
    expect(binary.wrong.reduce((sum, value) => sum + value, 0)).toBe(10);
  });

  test('keep their wrong labels when the share grows', () => {
    const [some, more] = [choose(100, 0.1), choose(100, 0.5)];
    some.wrong.forEach((isWrong, i) => {
      if (isWrong) expect([more.wrong[i], more.labels[i]]).toEqual([1, some.labels[i]]);
    });
  });

  test('are refused out of range', async () => {
    expect(await refusal(() => choose(0))).toContain('must be a whole number of at least 1');
    expect(await refusal(() => choose(20, 0.6))).toContain('must be from 0 to 0.5');
    const ofOneClass = () => chooseImages([0, 0], 1, { images: null, wrongLabels: 0.1 }, 1);
    expect(await refusal(ofOneClass)).toContain('at least two classes');
  });
});

test('a trainer shows its own images only, once an epoch', () => {
  const requests: TrainingSteps[] = [];
  const network = {
    numClasses: 10,
    train(_: TrainingData, steps: TrainingSteps) {
      requests.push(steps);
      return { images: steps.order.length, loss: 1, accuracy: 0.5 };
    },
  } as unknown as Network;
  const data = { count: own.length, labels: Int32Array.from(own) } as TrainingData;
  const recipe: Recipe = { ...fast, epochs: 2, batchSize: 8, classWeights: 'balanced' };
  const { indices } = choose(20);
  const trainer = new Trainer(network, data, recipe, 3, indices);
  expect([trainer.steps, trainer.epochsDone]).toEqual([6, 0]);
  const done: (number | null)[] = [];
  while (!trainer.isDone) {
    const next = trainer.nextSteps(2);
    trainer.train(2);
    expect(requests.at(-1)).toEqual(next);
    done.push(trainer.epochsDone);
  }
  expect(done).toEqual([null, 1, null, 2]);
  for (const epoch of [requests.slice(0, 2), requests.slice(2)]) {
    const shown = epoch.flatMap((steps) => [...steps.order]);
    expect(shown.sort((a, b) => a - b)).toEqual([...indices].sort((a, b) => a - b));
  }
  expect(requests[0].classWeights).toEqual(new Array(10).fill(1)); // of 20 images, two of each class
});

test('balanced class weights make all classes count alike', () => {
  // As in the Python package's Recipe.class_weights_for.
  const labels = [...new Array<number>(90).fill(0), ...new Array<number>(10).fill(2)];
  const weights = classWeightsFor({ ...fast, classWeights: 'balanced' }, labels, 3)!;
  // Each of two classes counts as 50 of the 100 labels; the class without labels keeps 1.
  [50 / 90, 1, 50 / 10].forEach((weight, k) => expect(weights[k]).toBeCloseTo(weight, 12));
  expect(classWeightsFor({ ...fast, classWeights: [1, 2, 3] }, labels, 3)).toEqual([1, 2, 3]);
  expect(classWeightsFor(fast, labels, 3)).toBeUndefined();
});

const SIDE = 8;
const architecture: Architecture = {
  name: 'memory',
  input: { height: SIDE, width: SIDE, channels: 1, scale: 1 / 255, offset: 0 },
  layers: [
    { kind: 'Flatten', name: 'flatten' },
    { kind: 'Dense', name: 'dense', units: 64, activation: 'relu', use_bias: true },
    { kind: 'Dense', name: 'dense_1', units: 4, activation: 'softmax', use_bias: true },
  ],
};

// Images of noise, in which a bright row is the class.
function rows(count: number, seed: number): { images: Uint8Array; labels: Uint8Array } {
  const images = Uint8Array.from(uniform(seed, count * SIDE * SIDE, 0, 200));
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 4);
  labels.forEach((label, i) =>
    images.fill(255, i * SIDE * SIDE + 2 * label * SIDE, i * SIDE * SIDE + (2 * label + 1) * SIDE),
  );
  return { images, labels };
}

test('a few images with wrong labels are memorised: train accuracy rises far above test accuracy', async () => {
  const engine = await openEngine();
  const [seen, unseen] = [rows(400, 1), rows(200, 2)];
  const data = engine.trainingData(seen.images, seen.labels);
  const train = (images: number, wrongLabels: number) => {
    const chosen = chooseImages(seen.labels, 4, { images, wrongLabels }, 5);
    const labels = Int32Array.from(seen.labels);
    chosen.indices.forEach((image, i) => (labels[image] = chosen.labels[i]));
    data.setLabels(labels);
    const recipe: Recipe = {
      ...fast,
      epochs: 60,
      batchSize: 10,
      learningRate: 0.01,
      labelSmoothing: 0,
      augmentation: {},
    };
    const network = engine.network(architecture, initialWeights(architecture, 0));
    const trainer = new Trainer(network, data, recipe, 0, chosen.indices);
    while (!trainer.isDone) trainer.train(100);
    const at = { epoch: trainer.epochsDone!, step: trainer.step };
    const point = atOnce(measureEpoch(network, data, chosen, unseen, 4, at));
    data.setLabels(seen.labels);
    return point;
  };
  const memorised = train(40, 0.5);
  expect([memorised.epoch, memorised.step, memorised.train.count, memorised.test.count]).toEqual([60, 240, 40, 200]);
  expect(accuracyOf(memorised.train)).toBeGreaterThan(0.9); // with the wrong labels
  expect(memorised.gap).toBeCloseTo(accuracyOf(memorised.train) - accuracyOf(memorised.test), 12);
  expect(memorised.gap).toBeGreaterThan(0.2);
  const learned = train(400, 0);
  expect(accuracyOf(learned.test)).toBeGreaterThan(0.9);
  expect(learned.gap).toBeLessThan(memorised.gap);
});

test('of many training images, the first drawn are measured', () => {
  const count = MAX_MEASURED + 10;
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const chosen = { indices: Int32Array.from(labels.keys()), labels, wrong: new Uint8Array(count) };
  const network = { logits: (images: Uint8Array) => Float32Array.from({ length: 2 * images.length }, (_, i) => i % 2) };
  const data = { images: (indices: ArrayLike<number>) => new Uint8Array(indices.length) };
  const sample = { images: Uint8Array.of(0), labels: Uint8Array.of(1) };
  const at = { epoch: 1, step: 9 };
  const work = measureEpoch(network as unknown as Network, data as unknown as TrainingData, chosen, sample, 2, at);
  const { train, gap } = atOnce(work);
  expect([train.count, train.correct, gap]).toEqual([MAX_MEASURED, MAX_MEASURED / 2, -0.5]);
});
