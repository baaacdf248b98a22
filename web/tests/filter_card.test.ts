// What the card of a filter says: its most exciting images, whether it is dead, and its duplicates.
import { expect, test } from 'vitest';
import { filterFindings, twinOf } from '../src/analysis/filter_card';
import { filterStatistics, statisticsOnce } from '../src/analysis/filter_statistics';
import { atOnce } from './at_once';
import { DenseNetwork } from './dense_network';

// Four units: the first pixel, the second pixel, one never above zero, and a kernel of twice the first plus another weight.
const network = new DenseNetwork(
  {
    kernel: [
      [1, 0, -1, 2],
      [0, 1, -1, 0],
      [0, 0, -1, 0],
      [0, 0, 0, 0],
    ],
    bias: [0, 0, 0, 0],
  },
  {
    kernel: [
      [1, 0],
      [0, 1],
      [0, 0],
      [0, 0],
    ],
    bias: [0, 0],
  },
);
const pixels = Uint8Array.of(3, 0, 1, 0, 0, 5, 0, 0, 9, 1, 0, 0, 1, 2, 3, 4);
const images = { pixels, count: 4, numSample: 3, labels: [0, 1, 0, 1] };
const statistics = atOnce(filterStatistics(network.table, network.network, images));
const findings = (filter: number) =>
  filterFindings(network.table, network.table[1], network.weights, statistics, filter, images, 2);

test('the most exciting of all embedded images come first', () => {
  expect(findings(1).exciting.map((example) => [example.image, example.value])).toEqual([
    [1, 5],
    [3, 2],
    [2, 1],
    [0, 0],
  ]);
  expect(findings(1).exciting[0].frame).toEqual({ top: 0, left: 0, height: 1, width: 4, first: 0, count: 1 });
});

test('class means and the count of active images are those of the fair sample', () => {
  expect(findings(0).classes).toEqual([
    { mean: 6, count: 2 },
    { mean: 0, count: 1 },
  ]);
  expect(findings(0).active).toBe(2);
});

test('a unit that is never above zero is dead and has no exciting images', () => {
  expect(findings(2)).toMatchObject({ constant: 0, active: 0, exciting: [] });
  expect(findings(0).constant).toBeNull();
});

test('a unit with a multiple of another kernel is a duplicate', () => {
  expect(findings(0).twin).toMatchObject({ filter: 3, by: 'kernel' });
  expect(findings(1).twin).toBeNull();
});

test('the twin is the most similar filter above the threshold, never the filter itself', () => {
  expect(twinOf([1, 0.96, 0.99], 0, 0.95, 'activation')).toEqual({ filter: 2, by: 'activation', likeness: 0.99 });
  expect(twinOf([1, 0.9], 0, 0.95, 'kernel')).toBeNull();
});

test('statistics are computed once for the same weights', () => {
  let made = 0;
  const make = () => {
    made++;
    return Object.assign(Object.create(network), { free: () => {} }) as typeof network.network;
  };
  const first = atOnce(statisticsOnce(network.table, network.weights, make, images));
  expect(atOnce(statisticsOnce(network.table, network.weights, make, images))).toBe(first);
  expect(made).toBe(1);
});
