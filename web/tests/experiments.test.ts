// Experiments on overfitting: their conditions, the axis of their curves, and what is said of the gap.
import { expect, test } from 'vitest';
import { gapText } from '../src/bench/training/gap';
import type { EpochPoint } from '../src/training/epoch';
import { augmentationText } from '../src/bench/training/words';
import { augmentations, experiments, sameAugmentation } from '../src/training/experiments';
import { Plan } from '../src/training/plan.svelte';
import { fast } from '../src/training/recipe';
import { openEngine, readCases } from './engine/cases';

const score = (correct: number, count: number) => ({ correct, count, loss: 0, confusion: [], predictions: [] });
const at = (epoch: number, train: number, test: number): EpochPoint => ({
  epoch,
  step: 7 * epoch,
  train: score(train, 100),
  test: score(3 * test, 300),
  gap: (train - test) / 100,
});

test('an augmentation is the same whatever is zero in it, and its size follows the image', () => {
  expect(augmentations([28, 28, 1]).all).toMatchObject({ shift: 2, rotation: 12 });
  expect(augmentations([8, 64, 3]).shifts).toEqual({ shift: 1 });
  expect(sameAugmentation({}, { shift: 0, elastic_sigma: 4 })).toBe(true);
  expect(sameAugmentation({ shift: 1 }, { shift: 2 })).toBe(false);
  expect(augmentationText({ shift: 2, rotation: 0, elastic: 3, elastic_sigma: 4 })).toBe('shift 2, elastic 3');
  expect(sameAugmentation({ horizontal_flip: false }, {})).toBe(true);
  expect(augmentationText({ shift: 1, horizontal_flip: true })).toBe('shift 1, mirrored');
});

test('every experiment has an augmentation that the engine can do, and few images where it should overfit', async () => {
  const engine = await openEngine();
  const all = experiments([10, 9, 3], fast);
  expect(all.map(({ conditions }) => conditions.images)).toEqual([100, 100, 100, null]);
  expect(all.map(({ conditions }) => conditions.wrongLabels)).toEqual([0, 0, 0.3, 0]);
  const image = Uint8Array.from({ length: 270 }, (_, i) => i % 256);
  const changed = all.map(({ recipe }) =>
    engine
      .augmented(image, [10, 9, 3], recipe.augmentation, { copies: 2, key: 1 })
      .some((byte, i) => byte !== image[i % 270]),
  );
  expect(changed).toEqual([false, true, false, true]);
});

test('a plan trains with the augmentation and the images that were chosen', async () => {
  const [{ architecture }] = await readCases();
  const plan = new Plan(architecture, fast);
  expect(plan.chosen).toEqual(fast);
  plan.augmentation = { rotation: 5 };
  plan.conditions = { images: 20, wrongLabels: 0.5 };
  expect(plan.chosen.augmentation).toEqual({ rotation: 5 });
  plan.useRecipe(fast);
  expect([plan.augmentation, plan.conditions]).toEqual([fast.augmentation, { images: 20, wrongLabels: 0.5 }]);
});

// Curves count from a fifth of the planned epochs on, here epoch 6. The axis ends at a multiple of 0.05 above them, and begins
// one multiple more than needed below: 0.82 is above 0.8, so at 0.75. It is 0.1 long at least.

test('the gap is called overfitting only where it is more than chance', () => {
  expect(gapText(at(0, 10, 9), 'test')).toContain('Untrained');
  expect(gapText(at(5, 90, 89), 'test')).toContain('within chance: 300 test images');
  expect(gapText(at(5, 100, 86), 'test')).toContain('100 images that it trains on, the network is 14.0 points better');
  expect(gapText(at(5, 80, 90), 'test')).toContain('better on the test images');
});
