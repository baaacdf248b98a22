import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readIdx, type IdxArray, type NamedFile } from '../src/training/idx';
import { pairSets, readSets } from '../src/training/sets';
import { refusal } from './refusal';

function idx(shape: number[], values: ArrayLike<number>, type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length);
  bytes.set([0, 0, type, shape.length]);
  const view = new DataView(bytes.buffer);
  shape.forEach((n, i) => view.setUint32(4 + 4 * i, n));
  bytes.set(values, 4 + 4 * shape.length);
  return bytes;
}

function file(name: string, bytes: Uint8Array): NamedFile {
  const blob = new Blob([bytes as BlobPart]);
  return { name, size: blob.size, stream: () => blob.stream() };
}

const images = idx([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

describe('an IDX file', () => {
  test('is read, plain or gzip, whatever its name', async () => {
    for (const bytes of [images, gzipSync(images)]) {
      const array = await readIdx(file('images', bytes));
      expect(array.shape).toEqual([2, 2, 3]);
      expect([...array.values]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(), /^a is empty\.$/],
    ['a text', new TextEncoder().encode('hello there'), /^a is not an IDX file/],
    ['three bytes', new Uint8Array([0, 0, 8]), /^a is not an IDX file/],
    ['floats', idx([1], [0, 0, 0, 0], 13), /^a holds numbers of type float32/],
    ['an unknown type', idx([1], [0], 7), /^a holds an unknown type/],
    ['no dimension', idx([], []), /^a has 0 dimensions/],
    ['five dimensions', idx([1, 1, 1, 1, 1], [0]), /^a has 5 dimensions/],
    ['half a header', images.subarray(0, 9), /^a ends within its header/],
    ['an empty dimension', idx([0, 2], []), /^a has shape 0 × 2/],
    ['too few bytes', images.subarray(0, images.length - 1), /^a should contain 2 × 2 × 3 = 12 bytes, but 11 follow/],
    ['too many bytes', idx([2, 2], [1, 2, 3, 4, 5]), /^a should contain 2 × 2 = 4 bytes, but 5 follow/],
    ['a gigabyte', idx([1024, 1024, 1024], [1]), /^a should contain .*512 MB/],
    ['too few bytes in gzip', gzipSync(images.subarray(0, 20)), /^a should contain .*, but only 4 follow/],
    ['too many bytes in gzip', gzipSync(idx([2], [1, 2, 3])), /^a should contain 2 = 2 bytes, but more follow/],
    ['a bomb of 256 MB in gzip', gzipSync(idx([65536, 4096], [1])), /^a should contain .*more than it can hold/],
    ['half a gzip file', gzipSync(images).subarray(0, 25), /^a /],
    [
      'gzip with a wrong checksum',
      gzipSync(images).map((b, i, all) => (i === all.length - 6 ? b ^ 1 : b)),
      /^a is a damaged/,
    ],
  ])('of %s is refused with its name', async (_, bytes, sentence) => {
    expect(await refusal(() => readIdx(file('a', bytes)))).toMatch(sentence);
  });
});

const array = (name: string, shape: number[], fill = 0): IdxArray => ({
  name,
  shape,
  values: new Uint8Array(shape.reduce((product, n) => product * n, 1)).fill(fill),
});

describe('the files of a reader', () => {
  test('are one set, or two told apart by their names in any order', () => {
    const one = pairSets([array('y', [3]), array('x', [3, 2, 2])], [2, 2, 1], 10);
    expect([one.train.name, one.test]).toEqual(['x', null]);
    const four = [
      array('t10k-labels', [5], 1),
      array('train-images', [5, 2, 2]),
      array('t10k-images', [5, 2, 2]),
      array('train-labels', [5], 2),
    ];
    const two = pairSets(four, [2, 2, 1], 10);
    expect([two.train.name, two.train.labels[0]]).toEqual(['train-images', 2]);
    expect([two.test?.name, two.test?.labels[0]]).toEqual(['t10k-images', 1]);
  });

  test('are told apart by their numbers where names do not tell, and the larger set is trained on', () => {
    const four = [array('a', [2, 2, 2, 3]), array('b', [4]), array('c', [2]), array('d', [4, 2, 2, 3])];
    const two = pairSets(four, [2, 2, 3], 10);
    expect([two.train.name, two.test?.name]).toEqual(['d', 'a']);
  });

  test.each<[string, IdxArray[], RegExp]>([
    ['images alone', [array('x', [3, 2, 2])], /^x cannot be used \(1 of images and 0 of labels\)/],
    ['a matrix', [array('m', [3, 2]), array('y', [3])], /^m has 2 dimensions/],
    [
      'images of another size',
      [array('x', [3, 2, 4]), array('y', [3])],
      /^x has images of 2 × 4 × 1, .* needs 2 × 2 × 1/,
    ],
    ['images of another depth', [array('x', [3, 2, 2, 3]), array('y', [3])], /^x has images of 2 × 2 × 3/],
    ['a label too large', [array('x', [3, 2, 2]), array('y', [3], 10)], /^y has label 10 at index 0, .* 0 to 9/],
    ['other numbers', [array('x', [3, 2, 2]), array('y', [4])], /^x has 3 images, but y has 4 labels/],
    ['a test set alone', [array('t10k-images', [3, 2, 2]), array('t10k-labels', [3])], /is a test set by its name/],
    [
      'two sets that nothing tells apart',
      [array('a', [3, 2, 2]), array('b', [3, 2, 2]), array('c', [3]), array('d', [3])],
      /^a and b cannot be distinguished/,
    ],
  ])('are refused when they are %s', async (_, arrays, sentence) => {
    expect(await refusal(() => pairSets(arrays, [2, 2, 1], 10))).toMatch(sentence);
  });

  test('are read together, and five of them are too many', async () => {
    const sets = await readSets([file('x', images), file('y', idx([2], [0, 1]))], [2, 3, 1], 2);
    expect([...sets.train.labels]).toEqual([0, 1]);
    const five = Array.from({ length: 5 }, (_, i) => file(`${i}`, images));
    expect(await refusal(() => readSets(five, [2, 3, 1], 2))).toMatch(/5 files are too many/);
  });
});
