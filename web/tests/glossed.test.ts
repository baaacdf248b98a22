// Terms of the glossary that are marked in a text.
import { expect, test } from 'vitest';
import { piecesOf, termsBefore } from '../src/bench/parts/glossed';

test('the name of a layer kind is a term', () => {
  expect(piecesOf('MaxPooling2D 2×2')).toEqual([
    { text: 'MaxPooling2D', term: 'max pooling' },
    { text: ' 2×2', term: null },
  ]);
});

test('a term is marked once in a text, and not at all if it is explained already', () => {
  const marked = (text: string, known?: Set<'relu'>) => piecesOf(text, known).filter(({ term }) => term !== null);
  expect(marked('relu, then relu')).toHaveLength(1);
  expect(marked('relu', new Set(['relu']))).toEqual([]);
});

test('a word within another is no term', () => {
  expect(piecesOf('relu_1 and Dense3')).toEqual([{ text: 'relu_1 and Dense3', term: null }]);
});

test('each group knows the terms of earlier groups, not its own', () => {
  const known = termsBefore([['Conv2D 3×3', 'relu'], ['Dense'], ['Conv2D 5×5']]);
  expect(known.map((terms) => [...terms])).toEqual([[], ['convolution', 'relu'], ['convolution', 'relu', 'dense']]);
});
