// The reader's own classes: held-out examples, the network for them, and undoing.
import { describe, expect, test } from 'vitest';
import { layerTable } from '../src/engine/architecture';
import { initialWeights } from '../src/engine/initialization';
import { product } from '../src/engine/layers';
import { OwnClasses } from '../src/state/own_classes.svelte';
import {
  MAX_CLASSES,
  MAX_EXAMPLES,
  splitExamples,
  recipeFor,
  startWeights,
  withClasses,
  type OwnClass,
} from '../src/training/own_classes';
import { readCases } from './engine/cases';

// An example is an image of two bytes: its class, and its number in the class.
const examples = (count: number, value = 0) => Array.from({ length: count }, (_, i) => Uint8Array.of(value, i));
const classesOf = (...counts: number[]): OwnClass[] =>
  counts.map((count, id) => ({ id, name: `class ${id}`, examples: examples(count, id) }));

describe('held-out examples', () => {
  test('are every fifth of a class, whatever is added later', () => {
    const { train, heldOut } = splitExamples(classesOf(10, 7));
    expect([...heldOut.images]).toEqual([0, 4, 0, 9, 1, 4]); // numbers 4 and 9 of class 0, number 4 of class 1
    expect([...heldOut.labels]).toEqual([0, 0, 1]);
    expect(train.labels.length).toBe(14);
    expect([...splitExamples(classesOf(11, 7)).heldOut.images]).toEqual([...heldOut.images]);
  });

  test('are none if a class has fewer than five', () => {
    const { train, heldOut } = splitExamples(classesOf(10, 4));
    expect(heldOut.labels.length).toBe(0);
    expect(train.labels.length).toBe(14);
    expect(train.images.length).toBe(2 * 14);
  });
});

describe('the network', () => {
  test('of any architecture has the new classes, and keeps the layers before the last', async () => {
    for (const { architecture } of await readCases()) {
      const classes = 7;
      const changed = withClasses(architecture, classes);
      const table = layerTable(changed);
      expect(table.at(-1)!.outputShape, architecture.name).toEqual([classes]);

      const weights = initialWeights(architecture, 1);
      const start = startWeights(changed, 2, { architecture, weights });
      const fresh = initialWeights(changed, 2);
      const shapes = table.flatMap((row) => Object.entries(row.weightShapes));
      expect(Object.keys(start).sort()).toEqual(shapes.map(([name]) => name).sort());
      const first = table.find((row) => row.parameters > 0)!;
      const last = table.findLast((row) => row.layer.units === classes || row.layer.filters === classes)!;
      for (const [name, shape] of shapes) {
        expect(start[name].length).toBe(product(shape));
        if (name.startsWith(`${last.layer.name}/`)) expect(start[name]).toEqual(fresh[name]);
        else if (name.startsWith(`${first.layer.name}/`)) expect(start[name]).toEqual(weights[name]);
      }
      expect(startWeights(changed, 2, null)).toEqual(fresh);
    }
  });

  test('trains more epochs on few examples than on many', () => {
    // 3,000 images over all epochs, in 8 to 60 epochs.
    expect(recipeFor([28, 28, 1], 40).epochs).toBe(60);
    expect(recipeFor([28, 28, 1], 5200).epochs).toBe(8);
    expect(recipeFor([28, 28, 1], 40).augmentation.shift).toBeGreaterThan(0);
  });
});

describe('the classes', () => {
  test('can be added, renamed and removed, and all of it undone', () => {
    const own = new OwnClasses();
    expect(own.classes.map(({ name }) => name)).toEqual(['A', 'B']);
    expect(own.hasFewestClasses && !own.canUndo).toBe(true);
    own.removeClass(own.classes[0].id);
    expect(own.classes.length).toBe(2);
    own.addClass();
    expect(own.rename(own.classes[1].id, '  star  fish ')).toBeNull();
    own.add(own.classes[2].id, examples(2));
    own.removeExample(own.classes[2].id, 0);
    own.removeClass(own.classes[0].id);
    expect(own.classes.map(({ name, examples }) => [name, examples.length])).toEqual([
      ['star fish', 0],
      ['C', 1],
    ]);
    own.addClass();
    expect(own.classes[2].name).toBe('A');
    for (let steps = 0; own.canUndo; steps++) {
      expect(steps).toBeLessThan(10);
      own.undo();
    }
    expect(own.classes.map(({ name, examples }) => [name, examples.length])).toEqual([
      ['A', 0],
      ['B', 0],
    ]);
  });

  test('have different names', () => {
    const own = new OwnClasses();
    const [{ id }] = own.classes;
    expect(own.rename(id, '  ')).toBe('A class needs a name.');
    expect(own.rename(id, 'B')).toBe('There is a class B already. Choose another name.');
    expect(own.rename(id, 'x'.repeat(41))).toContain('at most 40 letters');
    expect(own.classes[0].name).toBe('A');
    expect(own.canUndo).toBe(false);
  });

  test('are at most 26 with at most 200 examples each', () => {
    const own = new OwnClasses();
    for (let i = 0; i < 30; i++) own.addClass();
    expect(own.classes.length).toBe(MAX_CLASSES);
    expect(new Set(own.classes.map(({ name }) => name)).size).toBe(MAX_CLASSES);
    const [{ id }] = own.classes;
    expect(own.add(id, examples(MAX_EXAMPLES - 1))).toBeNull();
    expect(own.add(id, examples(2))).toBe(
      'A has 200 examples, which is the limit for one class. Remove some to add others.',
    );
    expect(own.classes[0].examples.length).toBe(MAX_EXAMPLES);
  });

  test('are unsaved from the first example until a page with them was saved', () => {
    const own = new OwnClasses();
    own.addClass();
    expect(own.isUnsaved).toBe(false); // no example would be lost
    own.add(own.classes[0].id, examples(1));
    expect(own.isUnsaved).toBe(true);
    own.markSaved(own.classes);
    expect(own.isUnsaved).toBe(false);
    own.add(own.classes[0].id, examples(1));
    expect(own.isUnsaved).toBe(true);
    own.undo();
    expect(own.isUnsaved).toBe(false);
    expect(new OwnClasses([{ name: 'a', examples: examples(1) }]).isUnsaved).toBe(false);
  });
});
