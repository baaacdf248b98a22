// Prepares a drawing or a photo for the network, and keeps the picture after each step. native/handwriting computes the steps,
// for Python too; convscope.data.handwriting explains them.
import type { Engine } from '../engine/engine';
import { call } from '../engine/memory';
import type { Picture } from './picture';
import { defaultSteps, STEPS, type Handwriting, type StepName } from './recipe';

// Problems of a picture, whether a step corrects them or not, in the order of their bits in the engine's result.
export const HINTS = ['empty', 'inverted', 'tiny', 'off-centre', 'several'] as const;
export type Hint = (typeof HINTS)[number];

export interface Stage {
  name: 'picture' | StepName;
  on: boolean;
  picture: Picture;
}

export interface Prepared {
  image: Uint8Array; // (H, W, C): the input of the network
  stages: Stage[]; // the original picture, with the channels of the network, then the result of each step
  hints: Hint[];
  clipped: number; // share of the ink that centring moves out of the image
}

export const MAX_FACTOR = 10; // a picture is reduced to this many times the longer side of the image

const NAMES = ['picture', ...STEPS] as const;
// The engine's result: pointer, height, width and channels of each stage and of the image; then hints and clipped.
const NUM_RESULTS = 4 * (NAMES.length + 1) + 2;
const BAND_BYTES = 4 << 20; // bytes of a picture that are averaged in one call

// Runs the chosen steps on a picture, for a network with images of this shape.
export function prepare(
  engine: Engine,
  { pixels, height, width, channels }: Picture,
  shape: readonly [height: number, width: number, channels: number],
  handwriting: Handwriting,
  steps: Iterable<StepName> = defaultSteps(handwriting),
): Prepared {
  const chosen = new Set(steps);
  const bits = STEPS.reduce((sum, step, i) => sum + (chosen.has(step) ? 2 ** i : 0), 0);
  const { ink, target, threshold, centre } = handwriting;
  return call(engine.exports, (arrays) => {
    const [source, result] = [arrays.copyIn(pixels), arrays.allocate(8 * NUM_RESULTS)];
    const settings = [Number(ink === 'light'), target, threshold, Number(centre)] as const;
    const size = [height, width, channels] as const;
    const prepared = engine.exports.picture_prepare(source, ...size, ...shape, ...settings, bits, result);
    const numbers = arrays.doubles(result, NUM_RESULTS);
    const read = (index: number): Picture => {
      const [pointer, height, width, channels] = numbers.subarray(4 * index);
      return { pixels: arrays.bytes(pointer, height * width * channels), height, width, channels };
    };
    const stages = NAMES.map((name, i) => ({ name, on: name === 'picture' || chosen.has(name), picture: read(i) }));
    const image = read(NAMES.length).pixels;
    engine.exports.picture_free(prepared);
    const [hints, clipped] = numbers.subarray(-2);
    return { image, stages, hints: HINTS.filter((_, i) => (hints >> i) & 1), clipped };
  });
}

// Averages the picture down until no side is longer than `longest`, in bands, since the memory of the engine never shrinks.
export function reduce(engine: Engine, picture: Picture, longest: number): Picture {
  const { pixels, height: rows, width: columns, channels } = picture;
  if (Math.max(rows, columns) <= longest) return picture;
  const [height, width] = call(engine.exports, (arrays) => {
    const size = arrays.allocate(16);
    engine.exports.picture_fit(rows, columns, longest, size);
    return arrays.doubles(size, 2);
  });
  const reduced = { pixels: new Uint8Array(height * width * channels), height, width, channels };
  // Rows [first, last) of the reduced picture are averaged from rows [start, stop) of the whole one. `step` rows come
  // from a band of BAND_BYTES, since one comes from rows * columns * channels / height bytes.
  const step = Math.max(1, Math.floor((BAND_BYTES * height) / (rows * columns * channels)));
  for (let first = 0; first < height; first += step) {
    const last = Math.min(height, first + step);
    const start = Math.floor((first * rows) / height);
    const stop = Math.ceil((last * rows) / height);
    const averaged = call(engine.exports, (arrays) => {
      const band = arrays.copyIn(pixels.subarray(start * columns * channels, stop * columns * channels));
      const rowsPointer = arrays.allocate((last - first) * width * channels);
      const whole = [rows, columns, channels, height, width] as const;
      engine.exports.picture_average_rows(band, start, ...whole, first, last, rowsPointer);
      return arrays.bytes(rowsPointer, (last - first) * width * channels);
    });
    reduced.pixels.set(averaged, first * width * channels);
  }
  return reduced;
}
