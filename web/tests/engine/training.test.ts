// Training in WebAssembly: steps of the reference, learning, and an epoch in pieces.
import { describe, expect, test } from 'vitest';
import { initialWeights } from '../../src/engine/initialization';
import { EngineError } from '../../src/engine/memory';
import type { Architecture, LayerSpec, TrainingSteps } from '../../src/engine/types';
import { fast } from '../../src/training/recipe';
import { imagesOf, largestDifference, openEngine, readCases, uniform, unpacked, weightsOf } from './cases';

const engine = await openEngine();
const cases = (await readCases()).filter((candidate) => candidate.trained !== null);

test.each(cases)(
  'a few steps of $architecture.name end where the reference ends',
  ({ architecture, seed, trained }) => {
    const network = engine.network(architecture, weightsOf(architecture, seed));
    const images = imagesOf(architecture, seed + 100, 12);
    const labels = Array.from({ length: 12 }, (_, i) => i % network.numClasses);
    const { order, learningRates, loss, accuracy, weights, ...steps } = trained!;
    const score = network.train(engine.trainingData(images, labels), {
      ...steps,
      order: Int32Array.from(order),
      learningRates: Float32Array.from(learningRates),
    });
    expect(score.images).toBe(order.length);
    expect(score.loss).toBeCloseTo(loss, 4);
    expect(score.accuracy).toBeCloseTo(accuracy, 6);
    const reached = network.weights();
    for (const [name, values] of Object.entries(weights)) {
      expect(largestDifference(reached[name], unpacked(values)), name).toBeLessThan(1e-4);
    }
  },
);

test('training goes on after a batch too large for the memory', () => {
  const { architecture, seed } = cases[0];
  const [network, fresh] = [0, 1].map(() => engine.network(architecture, weightsOf(architecture, seed)));
  const data = engine.trainingData(imagesOf(architecture, seed, 4), [0, 1, 0, 1]);
  const steps = (batchSize: number, batches: number): TrainingSteps => ({
    order: Int32Array.of(0, 1, 2, 3),
    batchSize,
    learningRates: new Float32Array(batches).fill(0.01),
    optimizer: fast.optimizer,
  });
  for (const trained of [network, fresh]) trained.train(data, steps(2, 2));
  expect(() => network.train(data, steps(2 ** 30, 1))).toThrow(EngineError);
  for (const trained of [network, fresh]) trained.train(data, steps(2, 2));
  expect(network.weights()).toEqual(fresh.weights());
});

const CLASSES = 3;

// Images with a bright square at one of three positions, on noise.
function squares(count: number, seed: number): { images: Uint8Array; labels: Uint8Array } {
  const noise = uniform(seed, count * 100, 0, 120);
  const labels = Uint8Array.from({ length: count }, (_, i) => (i * 7 + (i >> 2)) % CLASSES);
  const images = Uint8Array.from(noise);
  for (let i = 0; i < count; i++) {
    for (let position = 0; position < 9; position++) {
      images[i * 100 + (3 * labels[i] + Math.floor(position / 3)) * 10 + 3 + (position % 3)] += 100;
    }
  }
  return { images, labels };
}

const layers: LayerSpec[] = [
  {
    kind: 'Conv2D',
    name: 'conv2d',
    filters: 6,
    kernel_size: [3, 3],
    padding: 'same',
    activation: 'relu',
    use_bias: false,
  },
  { kind: 'BatchNormalization', name: 'batch_normalization' },
  { kind: 'MaxPooling2D', name: 'max_pooling2d', pool_size: [2, 2] },
  { kind: 'Flatten', name: 'flatten' },
  { kind: 'Dropout', name: 'dropout', rate: 0.25 },
  { kind: 'Dense', name: 'dense', units: CLASSES, activation: 'softmax' },
];
const architecture: Architecture = {
  name: 'small',
  input: { height: 10, width: 10, channels: 1, scale: 1 / 255, offset: 0 },
  layers,
};
const BATCH = 16;
const COUNT = 200; // the last batch is short

function epoch(key: number): TrainingSteps {
  return {
    order: Int32Array.from({ length: COUNT }, (_, i) => (i * 37) % COUNT),
    batchSize: BATCH,
    learningRates: new Float32Array(Math.ceil(COUNT / BATCH)).fill(0.01),
    optimizer: { kind: 'Adam' },
    labelSmoothing: 0.05,
    clipNorm: 1,
    augmentation: { shift: 1, rotation: 5, noise: 4, elastic: 2 },
    key,
  };
}

describe('a network', () => {
  const { images, labels } = squares(COUNT, 1);
  const data = engine.trainingData(images, labels);

  test('learns, and classifies new images correctly', () => {
    const network = engine.network(architecture, initialWeights(architecture, 0));
    const first = network.train(data, epoch(1));
    let last = first;
    for (let key = 2; key <= 5; key++) last = network.train(data, epoch(key));
    expect(last.loss).toBeLessThan(0.7 * first.loss);
    const test = squares(90, 2);
    const logits = network.logits(test.images);
    const right = test.labels.filter((label, i) => {
      const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES);
      return row.indexOf(Math.max(...row)) === label;
    });
    expect(right.length / 90).toBeGreaterThan(1 / CLASSES + 0.4);
  });

  test('has the same bits after an epoch at once and in pieces', () => {
    const [whole, parts] = [0, 1].map(() => engine.network(architecture, initialWeights(architecture, 4)));
    const steps = epoch(9);
    const score = whole.train(data, steps);
    let [seen, loss] = [0, 0];
    for (const [begin, end] of [
      [0, 3],
      [3, 4],
      [4, 13],
    ]) {
      const part = parts.train(data, {
        ...steps,
        order: steps.order.subarray(begin * BATCH, end * BATCH),
        learningRates: steps.learningRates.subarray(begin, end),
        first: begin * BATCH,
      });
      seen += part.images;
      loss += part.images * part.loss;
    }
    expect(parts.weights()).toEqual(whole.weights());
    expect(seen).toBe(score.images);
    expect(loss / seen).toBeCloseTo(score.loss, 10);
    // Randomness follows from the key and the image's position, so another position gives other weights.
    const elsewhere = engine.network(architecture, initialWeights(architecture, 4));
    elsewhere.train(data, { ...steps, first: BATCH });
    expect(elsewhere.weights()).not.toEqual(whole.weights());
  });

  test('repeats its steps after the optimizer is reset, and only then', () => {
    const start = initialWeights(architecture, 4);
    const network = engine.network(architecture, start);
    network.train(data, epoch(3));
    const reached = network.weights();
    network.setWeights(start);
    network.train(data, epoch(3));
    expect(network.weights()).not.toEqual(reached);
    network.setWeights(start);
    network.resetOptimizer();
    network.train(data, epoch(3));
    expect(network.weights()).toEqual(reached);
  });

  test('refuses steps that do not fit', () => {
    const network = engine.network(architecture, initialWeights(architecture, 0));
    const steps = epoch(1);
    const train = (change: Partial<TrainingSteps>) => () => network.train(data, { ...steps, ...change });
    expect(train({ order: Int32Array.of(COUNT) })).toThrow('images from 0 to 199');
    expect(train({ order: new Int32Array() })).toThrow('images from 0 to 199');
    expect(train({ batchSize: 0 })).toThrow('A batch cannot have 0 images');
    expect(train({ learningRates: new Float32Array(2) })).toThrow('it must be 13');
    expect(train({ key: 0.5 })).toThrow('0.5 is not a whole number');
    expect(() => engine.trainingData(images, [1, 2, 3])).toThrow('are not 3 images of one size');
    expect(() => engine.trainingData(images.subarray(0, 100), [-1])).toThrow('A label is -1');
    const wrong = engine.trainingData(images.subarray(0, 100), [CLASSES]);
    expect(() => network.train(wrong, { ...steps, order: Int32Array.of(0) })).toThrow('this network has 3 classes');
    wrong.free();
    expect(() => network.train(wrong, steps)).toThrow('freed');
  });
});
