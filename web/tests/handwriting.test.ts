// Preparing a picture in the page gives the pixels that Python gives.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromRgba, toRgba } from '../src/handwriting/picture';
import { HINTS, prepare, reduce } from '../src/handwriting/prepare';
import { STEPS } from '../src/handwriting/recipe';
import { drawingSize, Raster, type Stroke } from '../src/handwriting/strokes';
import { openEngine } from './engine/cases';
import { digest, generate } from './generated_pictures';

const engine = await openEngine();
// Written by Python: tests/generated_pictures.py.
const file = new URL('./fixtures/handwriting.json', import.meta.url);
const digests = JSON.parse(readFileSync(file, 'utf8')) as string[];

describe('prepare', () => {
  const prepareNumber = (number: number) => {
    const { picture, shape, handwriting, steps } = generate(number);
    return prepare(engine, picture, shape, handwriting, steps);
  };
  const prepared = digests.map((_, number) => prepareNumber(number));

  test('equals that of Python, byte for byte', () => {
    expect(prepared.map(digest)).toEqual(digests);
  });

  test('is tested on pictures of every kind', () => {
    expect(new Set(prepared.flatMap(({ hints }) => hints))).toEqual(new Set(HINTS));
    for (const step of STEPS) {
      const isOn = prepared.map(({ stages }) => stages.find(({ name }) => name === step)!.on);
      expect(new Set(isOn)).toEqual(new Set([true, false]));
    }
    expect(prepared.some(({ clipped }) => clipped > 0)).toBe(true);
    expect(new Set(digests.map((_, number) => generate(number).shape[2]))).toEqual(new Set([1, 2, 3, 4]));
  });

  test('does not change the picture, and frees its memory', () => {
    const { picture, shape, handwriting } = generate(0);
    const before = picture.pixels.slice();
    const { memory } = engine.exports;
    const size = memory.buffer.byteLength;
    for (let i = 0; i < 300; i++) prepare(engine, picture, shape, handwriting, STEPS);
    expect(picture.pixels).toEqual(before);
    expect(memory.buffer.byteLength).toBe(size);
  });
});

test('a picture is reduced as its first stage is, band by band', () => {
  const [height, width, channels] = [2500, 1100, 3];
  const pixels = Uint8Array.from({ length: height * width * channels }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
  const picture = { pixels, height, width, channels };
  const handwriting = { ink: 'light', target: 20, threshold: 0.2, centre: false } as const;
  const [first] = prepare(engine, picture, [28, 28, 3], handwriting, []).stages;
  expect(reduce(engine, picture, 280)).toEqual(first.picture);
  expect(reduce(engine, picture, height)).toBe(picture);
});

describe('pictures', () => {
  test('transparent pixels become white', () => {
    const rgba = [0, 0, 0, 0, 10, 20, 30, 255, 0, 100, 255, 51];
    expect(Array.from(fromRgba(rgba, 1, 3).pixels)).toEqual([255, 255, 255, 10, 20, 30, 204, 224, 255]);
  });

  test('RGBA and back keeps the colours', () => {
    const colours = { pixels: Uint8Array.from([1, 2, 3, 4, 5, 6]), height: 1, width: 2, channels: 3 };
    expect(fromRgba(toRgba(colours), 1, 2)).toEqual(colours);
  });

  test('grey and alpha become RGBA', () => {
    expect(Array.from(toRgba({ pixels: Uint8Array.from([7, 9]), height: 1, width: 1, channels: 2 }))).toEqual([
      7, 7, 7, 9,
    ]);
  });
});

// Draws every pixel by its distance to every segment, without boxes and in one go.
function drawn(strokes: Stroke[], height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(height * width);
  for (const { width: pen, points } of strokes) {
    const radius = (pen * Math.min(height, width)) / 2;
    points.forEach(([px, py], i) => {
      const [qx, qy] = points[i + 1] ?? points[i];
      const [ax, ay, bx, by] = [px * width, py * height, qx * width, qy * height];
      const length = Math.sqrt((bx - ax) ** 2 + (by - ay) ** 2);
      for (let at = 0; at < pixels.length; at++) {
        const [x, y] = [(at % width) + 0.5, Math.floor(at / width) + 0.5];
        const t = length === 0 ? 0 : ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length ** 2;
        const [cx, cy] = [ax + Math.min(1, Math.max(0, t)) * (bx - ax), ay + Math.min(1, Math.max(0, t)) * (by - ay)];
        const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.sqrt((x - cx) ** 2 + (y - cy) ** 2)));
        pixels[at] = Math.max(pixels[at], Math.round(255 * cover));
      }
    });
  }
  return pixels;
}

describe('strokes', () => {
  const strokes: Stroke[] = [
    { width: 0.1, points: [[0.2, 0.25], [0.7, 0.2], [0.4, 0.9]] }, // prettier-ignore
    { width: 0.2, points: [[0.95, 0.02]] },
    { width: 0.05, points: [[0.1, 0.8], [0.1, 0.8], [-0.2, 1.1]] }, // prettier-ignore
  ];
  const size: [number, number] = [50, 64];
  const whole = () => {
    const raster = new Raster(size);
    raster.update(strokes);
    return raster.pixels;
  };

  test('cover pixels by their distance to the line', () => {
    const expected = drawn(strokes, ...size);
    const furthest = whole().reduce((largest, value, i) => Math.max(largest, Math.abs(value - expected[i])), 0);
    expect(furthest).toBeLessThanOrEqual(1); // one grey level, since another order of the sums rounds differently
    expect(expected.some((value) => value > 0 && value < 255)).toBe(true);
  });

  test('drawn point by point are the same', () => {
    const raster = new Raster(size);
    strokes.forEach((stroke, i) => {
      for (let n = 1; n <= stroke.points.length; n++) {
        raster.update([...strokes.slice(0, i), { ...stroke, points: stroke.points.slice(0, n) }]);
      }
    });
    expect(raster.pixels).toEqual(whole());
  });

  test('change nothing outside of the box that is returned', () => {
    const raster = new Raster(size);
    raster.update(strokes.slice(0, 1));
    const before = raster.pixels.slice();
    const box = raster.update(strokes.slice(0, 2))!;
    expect(box).toMatchObject({ top: 0, right: 64 });
    expect((box.bottom - box.top) * (box.right - box.left)).toBeLessThan(400);
    const changed = [...raster.pixels.keys()].filter((at) => raster.pixels[at] !== before[at]);
    expect(changed.length).toBeGreaterThan(0);
    for (const at of changed) {
      expect(Math.floor(at / 64)).toBeLessThan(box.bottom);
      expect(at % 64).toBeGreaterThanOrEqual(box.left);
    }
    expect(raster.update(strokes.slice(0, 2))).toBeNull();
  });

  test('disappear when they are undone', () => {
    const raster = new Raster(size);
    raster.update(strokes);
    raster.update(strokes.slice(0, 1));
    expect(raster.pixels).toEqual(drawn(strokes.slice(0, 1), ...size));
    raster.update([]);
    expect(Math.max(...raster.pixels)).toBe(0);
  });

  test('are a picture in the polarity of the data', () => {
    const raster = new Raster(size);
    raster.update(strokes);
    const light = raster.picture('light').pixels;
    expect(raster.picture('dark').pixels).toEqual(light.map((value) => 255 - value));
  });

  test('a drawing has ten pixels for each of the image, fewer for large images', () => {
    expect(drawingSize([28, 28])).toEqual([280, 280]);
    expect(drawingSize([20, 32])).toEqual([200, 320]);
    expect(drawingSize([96, 64])).toEqual([480, 320]);
    expect(drawingSize([800, 600])).toEqual([800, 600]);
  });
});
