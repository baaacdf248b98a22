// The training worker without a browser: its requests and replies.
import { readFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { initialWeights } from '../src/engine/initialization';
import type { Architecture, Weights } from '../src/engine/types';
import { chooseImages } from '../src/training/conditions';
import { messageOf } from '../src/text/say.svelte';
import type { Reply, Request } from '../src/training/messages';
import { fast } from '../src/training/recipe';
import { uniform } from './engine/cases';

// The worker is loaded once, so the tests run in this order: the first one opens the data that all of them train on.
const heard: Reply[] = [];
const page = {
  onmessage: (_: { data: Request }): void => undefined,
  postMessage(reply: Reply): void {
    heard.push(reply);
    if (reply.kind === 'update') page.onmessage({ data: { kind: 'seen' } });
  },
};
vi.stubGlobal('self', page);
await import('../src/training/worker');

const ask = (request: Request) => page.onmessage({ data: request });

async function reply<Kind extends Reply['kind']>(kind: Kind): Promise<Extract<Reply, { kind: Kind }>> {
  return vi.waitFor(
    () => {
      const failed = heard.find((message) => message.kind === 'failed');
      if (failed !== undefined) throw new Error(messageOf(failed.problem));
      const match = heard.find((message) => message.kind === kind);
      if (match === undefined) throw new Error(`nothing of kind ${kind} was said`);
      return match as Extract<Reply, { kind: Kind }>;
    },
    { timeout: 60_000 },
  );
}

const architecture: Architecture = {
  name: 'small',
  input: { height: 4, width: 4, channels: 1, scale: 1 / 255, offset: 0 },
  layers: [
    { kind: 'Flatten', name: 'flatten' },
    { kind: 'Dense', name: 'dense', units: 8, activation: 'relu', use_bias: true },
    { kind: 'Dropout', name: 'dropout', rate: 0.2 },
    { kind: 'Dense', name: 'dense_1', units: 4, activation: 'softmax', use_bias: true },
  ],
};
const labels = Uint8Array.from({ length: 200 }, (_, i) => i % 4);
const images = Uint8Array.from(uniform(1, 200 * 16, 0, 256));
const sample = { images: images.slice(0, 10 * 16), labels: labels.slice(0, 10) };
const recipe = { ...fast, epochs: 2, batchSize: 8 };
const conditions = { images: 20, wrongLabels: 0.5 }; // 20 images are 3 steps of at most 8: 8 + 8 + 4
const start = {
  kind: 'start' as const,
  architecture,
  weights: initialWeights(architecture, 0),
  recipe,
  conditions,
  seed: 3,
};

let afterOneStep: Weights;

test('a run reports its images, and a point for the untrained network and for each epoch', async () => {
  const engine = new Uint8Array(
    await readFile(new URL('../../src/convscope/report/bundle/engine.wasm', import.meta.url)),
  );
  ask({ kind: 'open', engine, train: { images, labels }, sample, classes: 4 });
  ask({ ...start, run: 1, paused: false });
  await reply('done');
  const { chosen } = await reply('chosen');
  expect(chosen).toEqual(chooseImages(labels, 4, conditions, 3));
  const points = heard.flatMap((message) => (message.kind === 'epoch' ? [message.point] : []));
  // The epoch, the steps until its end, and how many images of both splits were classified.
  expect(points.map(({ epoch, step, train, test }) => [epoch, step, train.count, test.count])).toEqual([
    [0, 0, 20, 10],
    [1, 3, 20, 10],
    [2, 6, 20, 10],
  ]);
  // Weights are kept after steps 0, 1 and 3 and each epoch, with what was measured at its end.
  const kept = heard.filter((message) => message.kind === 'update').filter(({ isCheckpoint }) => isCheckpoint);
  expect(kept.map(({ progress: { step } }) => step)).toEqual([0, 1, 3, 6]);
  for (const { step, test } of points) {
    expect(kept.find(({ progress }) => progress.step === step)!.sample).toEqual(test);
  }
  afterOneStep = kept[1].weights;
  const progress = heard.flatMap((message) => (message.kind === 'update' ? [message.progress] : []));
  for (const { step, epoch } of progress) expect(epoch).toBe(step / 3); // 0.33 after the first step, not 1
  expect(progress.at(-1)!.epoch).toBe(2);
  for (const { train, test, gap } of points) expect(gap).toBeCloseTo(train.correct / 20 - test.correct / 10, 12);
});

test('a step in parts equals the step that is taken, with the assigned labels', async () => {
  heard.length = 0;
  ask({ ...start, run: 2, paused: true });
  const { chosen } = await reply('chosen');
  ask({ kind: 'step', watched: sample.images });
  const { taken } = await reply('step');
  const { update, images: batch } = taken;
  expect(batch.length).toBe(8 * 16); // 8 images of 16 pixels
  const classes = new Map(
    Array.from(chosen.indices, (image, i) => [String(images.slice(16 * image, 16 * image + 16)), chosen.labels[i]]),
  );
  taken.labels.forEach((label, i) => expect(label).toBe(classes.get(String(batch.slice(16 * i, 16 * i + 16)))));
  expect(update.before.weights).toEqual(start.weights);
  expect(update.after.logits).not.toEqual(update.before.logits);
  const updates = await vi.waitFor(() => {
    const messages = heard.filter((message) => message.kind === 'update').filter(({ progress }) => progress.step === 1);
    if (messages.length === 0) throw new Error('the step was not taken');
    return messages;
  });
  expect(updates[0].weights).toEqual(update.after.weights);
  expect(updates[0].weights).toEqual(afterOneStep); // the same step within pieces of several
  expect(updates[0].stretch.loss).toBeCloseTo(update.loss, 10);
});

// Pixels of up to 255 · 1e34 give logits of about 1e37 and, in the only step of the epoch, gradients of about 1e36: all
// finite. But a weight moves by 1e4 times its gradient, 1e40, and float32 ends at 3.4e38.
test('training whose weights overflow while the loss is finite has diverged at the end of the epoch', async () => {
  heard.length = 0;
  const large = {
    ...architecture,
    input: { ...architecture.input, scale: 1e34 },
    layers: architecture.layers.slice(0, 1),
  };
  large.layers.push({ kind: 'Dense', name: 'dense', units: 4, activation: 'softmax', use_bias: true });
  const wild = {
    ...recipe,
    batchSize: 20,
    learningRate: 1e4,
    optimizer: { kind: 'SGD' as const, momentum: 0, nesterov: false },
  };
  ask({ ...start, architecture: large, weights: initialWeights(large, 0), recipe: wild, run: 3, paused: false });
  const problem = await vi.waitFor(() => {
    const failed = heard.find((message) => message.kind === 'failed');
    if (failed === undefined) throw new Error('it did not fail');
    return failed.problem;
  });
  expect(messageOf(problem)).toMatch('diverged at step 1: the loss or a weight is not a finite number');
});
