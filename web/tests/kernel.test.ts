// The weights by which a filter reads each map of the layer before it.
import { expect, test } from 'vitest';
import { kernelLikeness, kernelOf } from '../src/analysis/kernel';
import { linksBack } from '../src/analysis/links';
import type { LayerRow } from '../src/engine/types';

function row(
  index: number,
  layer: Partial<LayerRow['layer']>,
  inputShape: number[],
  outputShape: number[],
  kernel?: number[],
) {
  const spec = { kind: '', name: `layer_${index}`, ...layer };
  return {
    index,
    layer: spec,
    inputShape,
    outputShape,
    weightShapes: kernel ? { [`${spec.name}/kernel`]: kernel } : {},
    window: null,
    receptiveField: { size: [1, 1], jump: [1, 1], start: [0, 0] },
    parameters: 0,
    macs: 0,
  } as LayerRow;
}
const upTo = (count: number) => Float32Array.from({ length: count }, (_, i) => i);

test('a convolution reads every map with its own weights', () => {
  const table = [row(0, { kind: 'Conv2D' }, [5, 5, 2], [4, 4, 3], [2, 2, 2, 3])];
  const kernel = kernelOf(table, { 'layer_0/kernel': upTo(24), 'layer_0/bias': Float32Array.of(7, 8, 9) }, table[0], 1);
  expect(kernel).toMatchObject({ source: 'input', rows: 2, columns: 2, bias: 8, high: 22 });
  // ((row * 2 + column) * 2 + channel) * 3 + filter
  expect([...kernel.readings[1].weights!]).toEqual([4, 10, 16, 22]);
  expect(kernel.readings[0].strength).toBeCloseTo(Math.hypot(1, 7, 13, 19), 5);
});

test('a filter in groups reads the maps of its group', () => {
  // Filters 0 and 1 read maps 0 to 2, filters 2 and 3 read maps 3 to 5. A weight is its index: 4 (map of the group) + filter.
  const table = [row(0, { kind: 'Conv2D', filters: 4, groups: 2 }, [5, 5, 6], [5, 5, 4], [1, 1, 3, 4])];
  const weights = { 'layer_0/kernel': upTo(12) };
  const maps = (filter: number) =>
    kernelOf(table, weights, table[0], filter).readings.map((reading) => [reading.map, ...reading.weights!]);
  expect(maps(1)).toEqual([
    [0, 1],
    [1, 5],
    [2, 9],
  ]);
  expect(maps(2)).toEqual([
    [3, 2],
    [4, 6],
    [5, 10],
  ]);
  expect(kernelLikeness({ 'layer_0/kernel': upTo(16) }, table[0], 1)).toBeNull();
  expect(linksBack(table, weights, 0, 2, 9).map(({ map, weight }) => [map, weight])).toEqual([
    [5, 10],
    [4, 6],
    [3, 2],
  ]);
});

test('a depthwise filter reads one map', () => {
  const table = [row(0, { kind: 'DepthwiseConv2D', depth_multiplier: 2 }, [5, 5, 3], [5, 5, 6], [1, 1, 3, 2])];
  const kernel = kernelOf(table, { 'layer_0/kernel': upTo(6) }, table[0], 5);
  expect(kernel.readings.map((reading) => [reading.map, ...reading.weights!])).toEqual([[2, 5]]);
  expect(kernel.bias).toBeNull();
});

test('a unit after flattened maps reads them as maps, through dropout too', () => {
  const table = [
    row(0, { kind: 'MaxPooling2D' }, [4, 4, 2], [2, 1, 2]),
    row(1, { kind: 'Flatten' }, [2, 1, 2], [4]),
    row(2, { kind: 'Dropout' }, [4], [4]),
    row(3, { kind: 'Dense' }, [4], [3], [4, 3]),
  ];
  // Input i of the unit is map i % 2, row i / 2, and its weight for unit 2 is 3 i + 2.
  const kernel = kernelOf(table, { 'layer_3/kernel': upTo(12) }, table[3], 2);
  expect(kernel).toMatchObject({ source: 'layer_0', rows: 2, columns: 1 });
  expect(kernel.readings.map((reading) => [...reading.weights!])).toEqual([
    [2, 8],
    [5, 11],
  ]);
});

test('layers without weights read their own map, and an addition also another layer', () => {
  const table = [
    row(0, { kind: 'Conv2D' }, [4, 4, 2], [4, 4, 2], [1, 1, 2, 2]),
    row(1, { kind: 'Add', from_layer: 'layer_0' }, [4, 4, 2], [4, 4, 2]),
    row(2, { kind: 'Flatten' }, [4, 4, 2], [32]),
  ];
  expect(kernelOf(table, {}, table[1], 1)).toMatchObject({ source: 'layer_0', others: ['layer_0'] });
  expect(kernelOf(table, {}, table[2], 5).readings[0].map).toBe(1);
});

test('kernels are compared by direction, and small ones are not compared', () => {
  const table = [row(0, { kind: 'Conv2D' }, [5, 5, 1], [4, 4, 2], [2, 2, 1, 2])];
  // The filters are 1, 2, 3, 4 and its double.
  const likeness = kernelLikeness({ 'layer_0/kernel': Float32Array.of(1, 2, 2, 4, 3, 6, 4, 8) }, table[0], 0)!;
  expect(likeness[1]).toBeCloseTo(1, 6);
  const small = [row(0, { kind: 'Conv2D' }, [5, 5, 1], [5, 5, 2], [1, 1, 1, 2])];
  expect(kernelLikeness({ 'layer_0/kernel': Float32Array.of(1, 2) }, small[0], 0)).toBeNull();
});
