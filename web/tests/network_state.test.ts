// The name of the shown network, and its accuracy if it was measured.
import { expect, test } from 'vitest';
import type { Bench } from '../src/state/bench.svelte';
import { networkState } from '../src/state/network_state';

const history = { val_accuracy: [0.9, 0.95], loss: [1, 0.5], best_epoch: null, val_split: 'test' };

// Ends of epochs without figures, as earlier versions wrote them, and one within the first epoch.
const checkpoints = [
  ...[0, 1, 2].map((epoch) => ({ epoch, step: null, accuracy: null, num_images: 0 })),
  { epoch: 0.5, step: 30, accuracy: 0.6, num_images: 1000 },
];

const shown = (changes: Record<string, unknown>) =>
  networkState({
    payload: {
      history,
      baseline_history: { ...history, val_accuracy: [0.8, 0.85] },
      evaluation: { accuracy: 0.95, split: 'test' },
      comparison: { b: { accuracy: 0.85 } },
    },
    modelIndex: 0,
    model: { name: 'ann', checkpoints },
    images: { split: 'test' },
    epoch: null,
    ablations: [],
    replacements: [],
    trained: null,
    ...changes,
  } as unknown as Bench);

const here = (changes: Record<string, unknown>) => ({
  isTraining: false,
  epoch: 4,
  accuracy: 0.7,
  sample: 300,
  ...changes,
});

const filter = { part: 'filter', layer: 'conv2d', filter: 3, value: 'zero' };

test.each([
  ['Trained · epoch 2', true, 0.95, {}],
  ['Untrained', false, null, { epoch: 0 }],
  ['Epoch 1', false, 0.9, { epoch: 1 }],
  ['Step 30', false, 0.6, { epoch: 0.5 }],
  ['ann', false, 0.85, { modelIndex: 1 }],
  ['ann · Epoch 2', false, 0.85, { modelIndex: 1, epoch: 2 }],
  ['Training here · epoch 0', false, null, { trained: here({ isTraining: true, epoch: 0, accuracy: null }) }],
  ['Training here · epoch 0.9', false, 0.7, { trained: here({ isTraining: true, epoch: 0.97 }) }],
  ['Trained here · epoch 4', false, 0.7, { trained: here({}) }],
  [
    'Trained here · epoch 4 · 1 filter removed',
    false,
    null,
    { trained: here({}), ablations: [filter], replacements: [{}] },
  ],
  ['2 filters removed', false, null, { ablations: [filter, filter], replacements: [{}, {}] }],
  ['1 part removed', false, null, { ablations: [{ part: 'bias', layer: 'conv2d' }] }],
  ['Epoch 1 · 1 filter removed', false, null, { epoch: 1, ablations: [filter], replacements: [{}] }],
])('%s', (text, isOwn, accuracy, changes) => {
  expect(shown(changes)).toMatchObject({ text, isOwn, accuracy });
});

test('the network of a page without a run is untrained, counts as its own, and has no accuracy', () => {
  const payload = { untrained: true, history: { loss: [] }, evaluation: { split: 'test' } };
  expect(shown({ payload })).toMatchObject({ text: 'Untrained', isOwn: true, accuracy: null });
});

test('a saved page has its network, for own classes or trained in the page, as its own', () => {
  const payload = (made: object, accuracy?: number) => ({
    made,
    history: { loss: [] },
    evaluation: { split: 'test', num_images: 10, accuracy },
  });
  const classes = payload({ from: 'classes', epoch: 60 });
  const here = { text: 'Your classes', isOwn: false, accuracy: null };
  expect(shown({ payload: classes, isOnPage: false })).toMatchObject(here);
  expect(shown({ payload: classes, isOnPage: true })).toMatchObject({ ...here, isOwn: true });
  const ablated = { ablations: [filter], replacements: [{}] };
  expect(shown({ payload: classes, isOnPage: true, ...ablated })).toMatchObject({
    text: 'Your classes · 1 filter removed',
    isOwn: false,
  });
  const text = 'Trained in the page · 1 epoch';
  const data = payload({ from: 'data', epoch: 1 }, 0.9);
  expect(shown({ payload: data, isOnPage: true })).toMatchObject({ text, isOwn: true, accuracy: 0.9 });
});
