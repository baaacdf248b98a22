// The colours of a confusion matrix, in the live view as in the report.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { confusionFill, confusionOpacities } from '../src/charts/confusion_colours';

interface Case {
  counts: number[][];
  opacities: number[][];
}
// The same case as in tests/evidence/test_confusion_colours.py.
const file = new URL('./fixtures/confusion.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[];

test('a confusion matrix has the opacities of the report', () => {
  for (const { counts, opacities } of cases) {
    const computed = confusionOpacities(counts);
    opacities.forEach((row, i) => row.forEach((opacity, k) => expect(computed[i][k]).toBeCloseTo(opacity, 6)));
  }
});

test('the diagonal is blue, other cells are red', () => {
  expect(confusionFill(2, 2, 0.5)).toBe('rgb(var(--blue) / 0.500)');
  expect(confusionFill(2, 1, 0.25)).toBe('rgb(var(--red) / 0.250)');
});
