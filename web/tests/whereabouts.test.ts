// The position of an image in the map of test images.
import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { loadMap, nearest, type MappedImage } from '../src/analysis/whereabouts';
import type { Block, LiveMap } from '../src/payload/types';

const packed = (dtype: Block['dtype'], shape: number[], numbers: Float32Array | Uint8Array): Block => ({
  dtype,
  shape,
  data: deflateSync(new Uint8Array(numbers.buffer)).toString('base64'),
});
const map: LiveMap = {
  layer: 'dense',
  num_neighbours: 2,
  indices: packed('uint8', [3], Uint8Array.of(0, 4, 8)),
  labels: packed('uint8', [3], Uint8Array.of(1, 0, 1)),
  points: packed('float32', [3, 2], Float32Array.of(0, 0, 1, 2, 3, 4)),
  directions: packed('float32', [3, 2], Float32Array.of(1, 0, 0, 1, 2, -1)),
  offset: [1, 2],
};
const known = (position: number, hidden: number[], point: [number, number]): MappedImage => ({
  position,
  hidden: Float32Array.from(hidden),
  point,
});
const ALL = [known(0, [0, 0], [0, 0]), known(1, [3, 4], [1, 0]), known(2, [0, 1], [0, 1])];

test('the map projects an image on its two directions', async () => {
  const loaded = await loadMap(map);
  expect(loaded.points).toEqual([
    [0, 0],
    [1, 2],
    [3, 4],
  ]);
  // Along each direction (a column of `directions`): the sum of activation times number, less the offset.
  expect(loaded.project([1, 2, 3])).toEqual([1 * 1 + 2 * 0 + 3 * 2 - 1, 1 * 0 + 2 * 1 + 3 * -1 - 2]);
});

test('the nearest images are found by all activations, and an image is not its own neighbour', () => {
  expect(nearest(ALL, [0, 0], 2).map(({ position, distance }) => [position, distance])).toEqual([
    [0, 0],
    [2, 1],
  ]);
  expect(nearest(ALL, [0, 0], 2, 0).map(({ position }) => position)).toEqual([2, 1]);
});
