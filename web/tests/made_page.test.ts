// The payload of a page that holds a network which was trained in this page: it opens with the same network and images.
import { expect, test } from 'vitest';
import { initialWeights } from '../src/engine/initialization';
import { pack, scriptJson } from '../src/payload/pack';
import type { Payload } from '../src/payload/types';
import { unpack, unpackFloats } from '../src/payload/unpack';
import { evaluateCommand } from '../src/bench/parts/command';
import { classesPayload, ownClassesOf, trainedPayload } from '../src/state/made_page';
import { load } from '../src/state/models';
import { splitExamples, recipeFor, withClasses, type OwnClass } from '../src/training/own_classes';
import { readCases, uniform } from './engine/cases';

const { architecture: own } = (await readCases()).find((candidate) => candidate.architecture.name === 'residual')!;
const { height, width, channels } = own.input;
const shape = [height, width, channels] as [number, number, number];
const size = height * width * channels;
const images = Uint8Array.from(uniform(3, 20 * size, 0, 256));
const labels = Uint8Array.from({ length: 20 }, (_, i) => i % 4);
const page = {
  format: 9,
  record: { dataset: { argument: '/data/my digits' }, seconds: 3 },
  data: { name: 'my digits' },
  evaluation: { split: 'test', class_names: ['a', 'b', 'c', 'd'] },
  live: {
    images: {
      split: 'test',
      indices: await pack(Uint8Array.from(labels.keys()), [20]),
      labels: await pack(labels, [20]),
      pixels: await pack(images, [20, ...shape]),
      num_sample: 10,
      num_mistakes: 1,
    },
    training: { labels: await pack(labels, [20]), pixels: await pack(images, [20, ...shape]), of: 20 },
    handwriting: { ink: 'light', target: 8, threshold: 0.1, centre: true },
  },
} as unknown as Payload;

test('packed arrays are unpacked unchanged', async () => {
  const floats = Float32Array.from(uniform(1, 70_000, -2, 2));
  expect(await unpackFloats(await pack(floats, [700, 100]))).toEqual(floats);
  expect(await unpack(await pack(Uint16Array.of(1, 65535), [2]))).toEqual(Uint16Array.of(1, 65535));
  expect(await unpack(await pack(new Float32Array(), [0, 4]))).toEqual(new Float32Array());
});

test('no text can end the element that contains the payload', () => {
  const value = { name: '</script><!-- & \u2028' };
  expect(scriptJson(value)).not.toMatch(/[<>&\u2028]/);
  expect(JSON.parse(scriptJson(value))).toEqual(value);
});

test('a network for own classes opens with its names, its weights and its examples in their order', async () => {
  const classes: OwnClass[] = [7, 5, 6].map((count, label) => ({
    id: label,
    name: `symbol ${label}`,
    examples: Array.from({ length: count }, (_, i) => images.slice((label + i) * size, (label + i + 1) * size)),
  }));
  const architecture = withClasses(own, 3);
  const weights = initialWeights(architecture, 5);
  const means = { [architecture.layers.at(-1)!.name]: Float32Array.of(1, 2, 3) };
  const network = { architecture, weights, means, recipe: recipeFor(shape, 15) };
  const parts = splitExamples(classes);
  const names = classes.map(({ name }) => name);
  const payload = JSON.parse(scriptJson(await classesPayload(page, network, 4, names, parts))) as Payload;
  const opened = { payload, ...(await load(payload)) };
  expect(payload.evaluation.class_names).toEqual(names);
  expect(payload.made).toEqual({ from: 'classes', epoch: 4 });
  expect(payload.evaluation.accuracy).toBeUndefined();
  expect(opened.models[0].weights).toEqual(weights);
  expect(opened.models[0].means).toEqual(means);
  expect([opened.images.count, opened.images.numSample]).toEqual([18, 3]); // the held-out examples
  expect(ownClassesOf(opened)).toEqual(classes.map(({ name, examples }) => ({ name, examples })));

  // If none was held out, all examples are shown, and their order is restored too.
  const few = classes.map((item) => ({ ...item, examples: item.examples.slice(0, 4) }));
  const smaller = await classesPayload(page, network, 4, names, splitExamples(few));
  const reopened = { payload: smaller, ...(await load(smaller)) };
  expect(reopened.images.numSample).toBe(12);
  expect(ownClassesOf(reopened)).toEqual(few.map(({ name, examples }) => ({ name, examples })));
});

test('a network for the data of the page opens with the same images, without results of another network', async () => {
  const network = { architecture: own, weights: initialWeights(own, 2), means: {}, recipe: recipeFor(shape, 15) };
  const payload = await trainedPayload(page, network, 3, { correct: 8, count: 10 });
  const { models, images: shown } = await load(payload);
  expect(models[0].weights).toEqual(network.weights);
  expect(shown.pixels).toEqual(images);
  expect(payload.record).toEqual({ dataset: { argument: '/data/my digits' } });
  expect(payload.evaluation).toMatchObject({ split: 'test', num_images: 10, accuracy: 0.8 });
  expect(ownClassesOf({ payload, models, images: shown })).toEqual([]);
  expect(Object.keys(await trainedPayload(page, network, 3, null).then(({ evaluation }) => evaluation))).not.toContain(
    'accuracy',
  );
});

test('the command loads the data as the run did', () => {
  const options = { test_fraction: 0.2, seed: 3, image_size: [20, 32], skip_damaged: true };
  const command = (dataset?: object) =>
    evaluateCommand(
      { ...page, record: (dataset === undefined ? {} : { dataset }) as Payload['record'] },
      'm.safetensors',
    );
  expect(command({ argument: "/data/Ann's digits", options })).toBe(
    `convscope evaluate m.safetensors --dataset '/data/Ann'"'"'s digits' --split test ` +
      '--test-fraction 0.2 --split-seed 3 --image-size 20x32 --skip-damaged',
  );
  expect(command({ argument: 'mnist' })).toBe('convscope evaluate m.safetensors --dataset mnist --split test');
  expect(command({ argument: '' })).toContain('--dataset DATASET'); // arrays have no name
  expect(command()).toContain("--dataset 'my digits'");
});
