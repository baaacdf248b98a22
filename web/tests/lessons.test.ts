// The lessons: the networks that each is for, and that all its texts exist.
import { expect, test, vi } from 'vitest';
import { LESSONS } from '../src/bench/lessons/lessons';
import { shallowAndDeep } from '../src/bench/lessons/subject';
import { layerTable } from '../src/engine/architecture';
import type { Architecture, LayerSpec } from '../src/engine/types';
import type { Bench } from '../src/state/bench.svelte';
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
    images: { shape: [12, 10, 1], numMistakes: 2 },
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
      expect(texts.join(' ')).not.toMatch(/undefined|NaN|null/);
    }
  }
});
