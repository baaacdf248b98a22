// The lessons: the networks that each is for, and that all its texts exist.
import { expect, test, vi } from 'vitest';
import { LESSONS } from '../src/bench/lessons/lessons';
import { fillsPad, shallowAndDeep } from '../src/bench/lessons/subject';
import { layerTable } from '../src/engine/architecture';
import type { Architecture, LayerSpec } from '../src/engine/types';
import type { Stroke } from '../src/handwriting/strokes';
import type { Bench } from '../src/state/bench.svelte';
import { surestMistake } from '../src/state/predictions';
import type { Key } from '../src/text/catalogue';
import { say } from '../src/text/say.svelte';

vi.stubGlobal('CSS', { escape: (name: string) => name });

const convolution = (name: string) =>
  ({ kind: 'Conv2D', name, filters: 4, kernel_size: [3, 3], strides: [1, 1], padding: 'valid' }) as LayerSpec;
const pooling = (kind: string) =>
  ({ kind, name: 'pool', pool_size: [2, 2], strides: [2, 2], padding: 'valid' }) as LayerSpec;
const flatten = { kind: 'Flatten', name: 'flatten' } as LayerSpec;
const dense = { kind: 'Dense', name: 'dense', units: 3, activation: 'softmax' } as LayerSpec;

const NETWORKS: Record<string, LayerSpec[]> = {
  convolutional: [convolution('one'), pooling('MaxPooling2D'), convolution('two'), flatten, dense],
  averaging: [convolution('one'), pooling('AveragePooling2D'), flatten, dense],
  global: [convolution('one'), { kind: 'GlobalAveragePooling2D', name: 'pool' } as LayerSpec, dense],
  dense: [flatten, dense],
};

function tableOf(name: string) {
  const input = { height: 12, width: 10, channels: 1, scale: 1, offset: 0 };
  return layerTable({ name, input, layers: NETWORKS[name] } as Architecture);
}

// The part of a bench that lessons read, in its first state.
function benchOf(name: string, state: { training?: number; untrained?: boolean } = {}): Bench {
  const { training = 200, untrained } = state;
  const probabilities = Float32Array.of(0.2, 0.5, 0.3);
  return {
    models: [{ table: tableOf(name), checkpoints: [{ epoch: 0 }] }],
    images: { shape: [12, 10, 1], labels: [0, 1], indices: [5, 7], count: 2 },
    payload: {
      untrained,
      evaluation: { num_images: 10, num_mistakes: 2 },
      live: { training: { labels: { shape: [training] } } },
    },
    classNames: ['a', 'b', 'c'],
    forward: { probabilities, logits: probabilities },
    lastResults: { training: null, step: null, change: null },
    source: { kind: 'image', position: 0 },
    prediction: 1,
    label: 1,
  } as unknown as Bench;
}

const present = (bench: Bench) => LESSONS.filter((lesson) => lesson.script(bench) !== null).map(({ id }) => id);

test('a lesson exists for the networks that have its subject', () => {
  const all = LESSONS.map(({ id }) => id);
  expect(all).toHaveLength(8);
  expect(present(benchOf('convolutional'))).toEqual(all);
  expect(present(benchOf('averaging'))).toEqual(all);
  expect(present(benchOf('global'))).toEqual(all.filter((id) => id !== 'depth'));
  expect(present(benchOf('dense'))).toEqual(['pixels', 'softmax', 'training', 'overfitting', 'fails']);
  expect(present(benchOf('dense', { training: 0 }))).not.toContain('overfitting');
});

test('depth compares the first layer of windows with the last', () => {
  const [first, deep] = shallowAndDeep(tableOf('convolutional'))!;
  expect([first.layer.name, deep.layer.name]).toEqual(['one', 'two']);
  expect(shallowAndDeep(tableOf('dense'))).toBeNull();
});

test.each(Object.keys(NETWORKS))('all that the lessons say of a %s network is in the catalogue', (name) => {
  for (const untrained of [false, true]) {
    const bench = benchOf(name, { untrained });
    for (const { id, script } of LESSONS) {
      const text = (key: string, values = {}) => say(`lessons.${id}.${key}` as Key, values);
      expect(text('title')).not.toBe('');
      const made = script(bench);
      if (made === null) {
        expect(text('missing')).toMatch(/left out/);
        continue;
      }
      const values = made.values();
      const texts = [
        text('question', values),
        ...made.answers.map((answer) => text(`answers.${answer}`, values)),
        ...made.tasks.map((task) => text(`tasks.${task.id}`, values)),
      ];
      expect(made.answers.length).toBeGreaterThanOrEqual(2);
      expect(made.answers.length).toBeLessThanOrEqual(4);
      expect(new Set(texts).size, texts.join('\n')).toBe(texts.length); // all answers differ
      expect(texts.join(' ')).not.toMatch(/undefined|NaN|null|[{}]/);
    }
  }
});

const scriptOf = (id: string, bench: Bench) => LESSONS.find((lesson) => lesson.id === id)!.script(bench)!;
const taskOf = (id: string, bench: Bench, task: string) =>
  scriptOf(id, bench).tasks.find((candidate) => candidate.id === task)!;
const line = (...points: [number, number][]): Stroke => ({ width: 0.05, points });

test('pooling asks for a window whose numbers differ, unless the layer has none', () => {
  const bench = benchOf('convolutional');
  const [first, pooled] = [new Float32Array(10 * 8 * 4), new Float32Array(5 * 4 * 4)];
  [first[0], pooled[0]] = [0.5, 0.5]; // the window at row 0, column 0 of map 0
  Object.assign(bench, { table: tableOf('convolutional'), forward: { activations: [first, pooled] } });
  const { isDone } = taskOf('pooling', bench, 'hold');
  const held = (row: number) => Object.assign(bench, { held: { layer: 'pool', map: 0, row, column: 0 } });
  held(1);
  expect(isDone()).toBe(false); // the largest of four zeros
  held(0);
  expect(isDone()).toBe(true);
  [first[0], pooled[0]] = [0, 0];
  expect(isDone()).toBe(true);
});

test('a place of a map that is zero everywhere is not bright', () => {
  const bench = benchOf('convolutional');
  const first = new Float32Array(10 * 8 * 4);
  first[0] = 0.5; // map 0
  Object.assign(bench, { table: tableOf('convolutional'), forward: { activations: [first] }, sliding: null });
  const { isDone } = taskOf('convolution', bench, 'bright');
  const held = (map: number) => Object.assign(bench, { held: { layer: 'one', map, row: 0, column: 0 } });
  held(1);
  expect(isDone()).toBe(false);
  held(0);
  expect(isDone()).toBe(true);
});

test('a scribble over the whole pad is none of the classes, and a large digit is not such a scribble', () => {
  const zigzag = Array.from({ length: 9 }, (_, i): [number, number] => [i % 2, i / 8]);
  const around = Array.from({ length: 33 }, (_, i): [number, number] => [
    0.5 + 0.5 * Math.cos((i * Math.PI) / 16),
    0.5 + 0.5 * Math.sin((i * Math.PI) / 16),
  ]);
  expect(fillsPad([line(...zigzag), line([0, 0], [1, 0], [1, 1], [0, 1], [0, 0])])).toBe(true);
  expect(fillsPad([line(...around)])).toBe(false); // 0
  expect(fillsPad([line([0, 0], [1, 0], [0.3, 1])])).toBe(false); // 7
  expect(fillsPad([])).toBe(false);
});

test.each([
  [[0.34, 0.33, 0.33], 'equal', 'found'],
  [[0.2, 0.45, 0.35], 'one', 'found'],
  [[0.1, 0.7, 0.2], 'one', 'found_sure'],
])('what the network makes of a scribble decides the answer: %j', (probabilities, correct, text) => {
  const bench = benchOf('dense');
  const script = scriptOf('softmax', bench);
  const zigzag = Array.from({ length: 33 }, (_, i): [number, number] => [i % 2, i / 32]);
  Object.assign(bench, {
    source: { kind: 'drawing', strokes: [line(...zigzag), line([0, 0], [1, 0], [1, 1], [0, 1], [0, 0])] },
    forward: { probabilities: Float32Array.from(probabilities), logits: Float32Array.from(probabilities) },
  });
  expect(script.tasks[0].isDone()).toBe(true);
  expect(script.correct()).toBe(correct);
  expect(script.found().texts).toEqual([text]);
});

test('a step counts only if it shows what the lesson says', () => {
  const bench = benchOf('dense', { untrained: true });
  const { isDone } = taskOf('training', bench, 'step');
  const step = { label: 1, isWhole: true, isAgainst: true, before: 0.5, after: 0.6, loss: [0.7, 0.5] };
  const after = (change: object) => {
    Object.assign(bench.lastResults, { step: { ...step, ...change } });
    return isDone();
  };
  expect(after({})).toBe(true);
  expect(after({ isWhole: false })).toBe(false);
  expect(after({ isAgainst: false })).toBe(false);
  expect(after({ before: 0.9999, after: 0.99991 })).toBe(false); // both are written as above 99.9 %
});

test('the surest mistake is compared with the correct answers', () => {
  const answers = { predicted: Uint8Array.of(1, 0, 1, 1), confidence: Float32Array.of(0.5, 0.75, 0.625, 0.25) };
  expect(surestMistake(answers, [1, 1, 0, 1])).toEqual({
    position: 1,
    confidence: 0.75,
    lessConfident: 2,
    correct: 2,
  });
  expect(surestMistake(answers, answers.predicted)).toBeNull();
});

test.each([
  [[0, 1], [0.99, 0.5], 'mistake_none'],
  [[0, 0], [0.6, 0.95], 'mistake_sure'],
  [[0, 0], [0.6, 0.7], 'mistake_unsure'],
  [[0, 0], [0.6, 0.55], 'mistake_apart'],
])('the lesson on failures says what is true of its surest mistake: %j, %j', (predicted, confidences, text) => {
  const bench = benchOf('dense');
  const logits = confidences.map((share, i) =>
    [0, 1, 2].map((k) => Math.log(k === predicted[i] ? share : (1 - share) / 2)),
  );
  const change = { from: 1, wanted: 2, isFound: true, share: 0.5, prediction: 1, mean: 3 };
  const size = 12 * 10;
  Object.assign(bench, {
    subject: {
      images: { ...bench.images, pixels: new Uint8Array(2 * size) },
      models: bench.models,
      payload: { evaluation: { class_names: ['a', 'b', 'c'] } },
    },
    network: () => ({
      logits: (pixels: Uint8Array) => Float32Array.from(pixels.length === size ? logits[position++] : logits.flat()),
    }),
    choose: (chosen: number) => Object.assign(bench, { source: { kind: 'image', position: chosen } }),
  });
  let position = 0;
  const script = scriptOf('fails', bench);
  Object.assign(bench.lastResults, { change });
  expect(script.tasks[0].isDone()).toBe(true);
  bench.source = { kind: 'drawing', strokes: [] };
  if (text !== 'mistake_none') {
    expect(script.tasks[1].isDone()).toBe(false);
    script.tasks[1].show!();
  }
  expect(script.tasks[1].isDone()).toBe(true);
  const { texts, values } = script.found();
  expect(texts).toEqual(['found', text]);
  for (const name of texts) expect(say(`lessons.fails.${name}` as Key, values)).not.toMatch(/undefined|NaN|null/);
});
