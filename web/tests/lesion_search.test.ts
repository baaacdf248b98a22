import { expect, test } from 'vitest';
import { fewestFilters } from '../src/analysis/lesion_search';
import { imageEffects } from '../src/analysis/lesion_effects';
import { differenceOf } from '../src/analysis/attribution';
import { atOnce } from './at_once';
import type { Replacement } from '../src/engine/types';
import { DenseNetwork } from './dense_network';

// One pixel of 1 drives every unit to 1; unit i adds `votes[i]` to class 0, and class 1 has `against`.
function voting(votes: number[], against: number): DenseNetwork {
  return new DenseNetwork(
    { kernel: [votes.map(() => 1)], bias: votes.map(() => 0) },
    { kernel: votes.map((vote) => [vote, 0]), bias: [0, against] },
  );
}
const image = Uint8Array.of(1);
const candidates = (count: number): Replacement[] =>
  Array.from({ length: count }, (_, filter) => ({ layer: 'hidden', filter, value: 0 }));
const find = (network: DenseNetwork, count: number, base: Replacement[] = []) =>
  atOnce(fewestFilters(network.network, image, base, candidates(count)));

test('a single filter that changes the answer is found and is the fewest', () => {
  const found = find(voting([1, 5, 1], 3), 3);
  expect(found?.filters.map((one) => one.filter)).toEqual([1]);
  expect(found).toMatchObject({ answer: 1, exact: true });
});

test('where no single one does it, the pair is found among all pairs', () => {
  const found = find(voting([3, 1, 3, 1], 4), 4);
  expect(found?.filters.map((one) => one.filter)).toEqual([0, 2]);
  expect(found).toMatchObject({ answer: 1, exact: true });
});

test('a larger set grows, changes the answer, and no member of it can be dropped', () => {
  const network = voting([2, 2, 2, 2, 2, 2, 2, 2], 5);
  const found = find(network, 8);
  expect(found?.filters).toHaveLength(6);
  expect(found?.exact).toBe(false);
  const answered = (set: Replacement[]) => {
    const [a, b] = network.lesionedLogits(image, [set]);
    return a >= b ? 0 : 1;
  };
  const filters = found!.filters;
  expect(answered(filters)).toBe(1);
  for (const dropped of filters) expect(answered(filters.filter((one) => one !== dropped))).toBe(0);
});

test('nothing is found where the bias alone decides', () => {
  expect(find(voting([1, 1, 1], -1), 3)).toBeNull();
  expect(find(voting([1], -1), 0)).toBeNull();
});

test('filters that are lost already count', () => {
  const found = find(voting([3, 1, 3, 1], 4), 4, [{ layer: 'hidden', filter: 0, value: 0 }]);
  expect(found?.filters.map((one) => one.filter)).toEqual([2]);
});

test('the effect of a loss is what the filter added to the difference', () => {
  const network = voting([1, 5, -2], 1);
  const lesions = candidates(3).map((one) => [one]);
  const falls = atOnce(imageEffects(network.network, image, [], lesions, differenceOf(2, 0, 1)));
  expect([...falls]).toEqual([1, 5, -2]);
});
