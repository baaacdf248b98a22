// The CSV file of a drawing, and its name.
import { expect, test } from 'vitest';
import { tableText, tableOf } from '../src/charts/series';
import { csvOf, fileName } from '../src/ui/download';

test('lines and bands share the rows of their x, in order', () => {
  const table = tableOf(
    [
      {
        name: 'a',
        points: [
          [2, 20],
          [1, 10],
        ],
      },
      {
        name: 'b',
        points: [[1, 5]],
        band: [
          [1, 4, 6],
          [3, 7, 9],
        ],
      },
    ],
    'epoch',
  );
  expect(table.columns.map(({ name }) => name)).toEqual(['epoch', 'a', 'b', 'b, low', 'b, high']);
  expect(table.rows).toEqual([
    [1, 10, 5, 4, 6],
    [2, 20, null, null, null],
    [3, null, null, 7, 9],
  ]);
});

test.each([
  [0.123456789, '0.12346'],
  [-0, '0'],
  [-1.5, '−1.5'],
  [12345, '12,345'],
  [3.2e-7, '3.200e−7'],
  [NaN, '–'],
  [null, ''],
  ['relu', 'relu'],
])('%s reads %s in a table', (value, text) => {
  expect(tableText(value)).toBe(text);
});

test('a file name has no characters that a file system refuses', () => {
  expect(fileName('mnist', 'cnn', '', 'why 7 not </script>"', '../map')).toBe('mnist-cnn-why-7-not-script-map');
});

test('a class name with a comma and quotes stays one field', () => {
  expect(csvOf([['a "b", c', 1, null]])).toBe('"a ""b"", c",1,\r\n');
});
