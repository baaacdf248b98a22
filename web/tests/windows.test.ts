// What is computed in a few operations for each pixel is what its definition says, written out slowly.
import { describe, expect, test } from 'vitest';
import { betweenClasses } from '../src/handwriting/ink';
import { evenLight } from '../src/handwriting/light';
import type { Picture } from '../src/handwriting/picture';
import { boxesOf, piecesOf } from '../src/handwriting/pieces';
import { closing, means, near } from '../src/handwriting/windows';

type Plane = [values: Uint8Array, height: number, width: number];

// Whole numbers below `count`, the same ones in every run.
function stream(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

function planes(seed: number, level: (random: (count: number) => number) => number): Plane[] {
  const random = stream(seed);
  return Array.from({ length: 60 }, () => {
    const [height, width] = [1 + random(14), 1 + random(14)];
    return [Uint8Array.from({ length: height * width }, () => level(random)), height, width];
  });
}

// The values of a window, the edge's going on beyond it.
function around(at: (row: number, column: number) => number, row: number, column: number, reach: number): number[] {
  const values: number[] = [];
  for (let y = row - reach; y <= row + reach; y++) {
    for (let x = column - reach; x <= column + reach; x++) values.push(at(y, x));
  }
  return values;
}

function edged([values, height, width]: Plane): (row: number, column: number) => number {
  const within = (at: number, length: number) => Math.min(length - 1, Math.max(0, at));
  return (row, column) => values[within(row, height) * width + within(column, width)];
}

function each([, height, width]: Plane, value: (row: number, column: number) => number): number[] {
  return Array.from({ length: height * width }, (_, i) => value(Math.floor(i / width), i % width));
}

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

function closed(plane: Plane, reach: number): number[] {
  const most = (row: number, column: number) => Math.max(...around(edged(plane), row, column, reach));
  return each(plane, (row, column) => Math.min(...around(most, row, column, reach)));
}

const meansOf = (plane: Plane, reach: number) =>
  each(plane, (row, column) => Math.floor(sum(around(edged(plane), row, column, reach)) / (2 * reach + 1) ** 2 + 0.5));

describe('windows', () => {
  const noise = planes(1, (random) => random(256));
  const few = planes(2, (random) => (random(12) === 0 ? 200 + random(56) : random(200)));

  test.each([0, 1, 2, 5, 20])('means that reach %i', (reach) => {
    for (const plane of noise) expect(Array.from(means(...plane, reach))).toEqual(meansOf(plane, reach));
  });

  test.each([1, 2, 4, 9])('the closing that reaches %i', (reach) => {
    for (const plane of noise.slice(0, 20)) {
      expect(Array.from(closing(...plane, reach))).toEqual(closed(plane, reach));
    }
  });

  test.each([1, 2, 5, 20])('what is near, %i away at most', (reach) => {
    for (const plane of few) {
      const [values, height, width] = plane;
      const isNear = each(plane, (row, column) =>
        Number(around(edged(plane), row, column, reach).some((v) => v > 220)),
      );
      expect(Array.from(near(values, 220, height, width, reach), (value) => Number(value > 0))).toEqual(isNear);
    }
  });
});

// Each pixel's piece as the first pixel of it, or -1 for ground.
function flooded([values, height, width]: Plane): number[] {
  const first = new Array<number>(height * width).fill(-1);
  for (let start = 0; start < first.length; start++) {
    if (values[start] === 0 || first[start] >= 0) continue;
    const open = [start];
    first[start] = start;
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const [row, column] = [Math.floor(at / width), at % width];
      for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++) {
        for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++) {
          const next = y * width + x;
          if (values[next] === 0 || first[next] >= 0) continue;
          first[next] = start;
          open.push(next);
        }
      }
    }
  }
  return first;
}

test.each([2, 3, 5])('pieces are what is connected, where a pixel in %i is ink', (share) => {
  for (const plane of planes(share, (random) => Number(random(share) === 0))) {
    const { labels, pieceOf, count } = piecesOf(...plane);
    const pieces = Array.from(labels, (label) => pieceOf[label]);
    const expected = flooded(plane);
    const firsts = [...new Set(expected.filter((first) => first >= 0))];
    expect(count).toBe(firsts.length);
    const pairs = new Set(expected.map((first, i) => `${first} ${pieces[i]}`));
    expect(pairs.size).toBe(new Set(expected).size); // one number for each piece,
    expect(pairs.size).toBe(new Set(pieces).size); // and one piece for each number
    expected.forEach((first, i) => expect(pieces[i] > 0).toBe(first >= 0));
    const [, height, width] = plane;
    const ends = (values: number[]) => [Math.min(...values), Math.max(...values) + 1];
    const boxes = firsts.map((first) => {
      const pixels = expected.flatMap((one, i) => (one === first ? [i] : []));
      const [top, bottom] = ends(pixels.map((i) => Math.floor(i / width)));
      const [left, right] = ends(pixels.map((i) => i % width));
      return { top, bottom, left, right };
    });
    expect(boxesOf(plane[0], height, width)).toEqual(boxes);
  }
});

// A clean sheet with blots, some at its edges and corners, so that often but not always the ground is the same everywhere.
function blotted(seed: number, side: number): Picture {
  const random = stream(seed);
  const [height, width] = [side + random(8), side + random(8)];
  const pixels = new Uint8Array(height * width).fill(random(4) === 0 ? 60 + random(100) : 255);
  for (let n = random(5); n >= 0; n--) {
    const [top, left, size, level] = [random(height), random(width), 1 + random(side * 0.7), random(200)];
    for (let row = top; row < Math.min(height, top + size); row++) {
      pixels.fill(level, row * width + left, row * width + Math.min(width, left + size));
    }
  }
  return { pixels, height, width, channels: 1 };
}

test('light is divided out by the closing, whether it is the same everywhere or not', () => {
  const grounds = new Set<number>();
  for (let seed = 0; seed < 60; seed++) {
    const picture = blotted(seed, 12);
    const { pixels, height, width } = picture;
    const ground = closed([pixels, height, width], Math.floor(Math.min(height, width) / 3));
    const expected = ground.map((most, i) => Math.floor(((most - pixels[i]) * 255) / Math.max(64, most) + 0.5));
    expect(Array.from(evenLight(picture, 'dark').pixels)).toEqual(expected.map((value) => 255 - value));
    const negative = { ...picture, pixels: pixels.map((value) => 255 - value) };
    expect(Array.from(evenLight(negative, 'light').pixels)).toEqual(expected);
    grounds.add(new Set(ground).size);
  }
  expect(grounds.has(1) && grounds.size > 1).toBe(true);
});

test('on a large clean sheet it is divided out by the closing of the means', () => {
  const stripes = Uint8Array.from({ length: 100 * 100 }, (_, i) => (Math.floor(i / 100) % 3 === 2 ? 180 : 255));
  const striped = { pixels: stripes, height: 100, width: 100, channels: 1 };
  for (const picture of [striped, ...Array.from({ length: 12 }, (_, seed) => blotted(seed, 100))]) {
    const { pixels, height, width } = picture;
    const ground = closing(means(pixels, height, width, 1), height, width, Math.floor(Math.min(height, width) / 3));
    const expected = pixels.map((value, i) => {
      const missing = Math.max(0, ground[i] - value);
      return 255 - Math.floor((missing * 255) / Math.max(64, ground[i]) + 0.5);
    });
    expect(evenLight(picture, 'dark').pixels).toEqual(expected);
  }
});

test('the middle between two classes is between their means', () => {
  expect(betweenClasses(Uint8Array.from([0, 0, 10, 20, 200, 220]))).toBe((15 + 210) / 2);
  expect(betweenClasses(Uint8Array.from([0, 90, 90]))).toBe(0);
  expect(betweenClasses(new Uint8Array(5))).toBe(0);
});
