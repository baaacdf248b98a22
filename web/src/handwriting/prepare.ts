// From a drawing or a photo to the pixels that the network sees, with the picture after each step: the same as
// `prepare` of src/convscope/handwriting/prepare.py, pixel for pixel; what each step is for is said there.
import { average, border, cut, fitted, inColours, median, reduced, type Picture, type Size } from './picture';

export const STEPS = ['polarity', 'crop', 'scale', 'contrast', 'centre'] as const;
export type StepName = (typeof STEPS)[number];
export type Hint = 'empty' | 'inverted' | 'tiny' | 'off-centre';

export interface Handwriting {
  ink: 'light' | 'dark'; // which of the two the data set writes with, on the other as ground
  target: number; // pixels of the longer side of what is written
  threshold: number; // share of the strongest ink from which a pixel is ink
  centre: boolean; // whether its images hold one thing each, sized and centred on an even ground
}

export interface Stage {
  name: 'picture' | StepName;
  on: boolean;
  picture: Picture;
}

export interface Prepared {
  image: Uint8Array; // (H, W, C): what the network sees
  stages: Stage[]; // the picture as it was given, in the colours that the network has, then after each step
  hints: Hint[]; // what may be wrong with the picture, whether a step mends it or not
  clipped: number; // share of the ink that centring moved out of the image
}

export const LARGEST_FACTOR = 10; // a picture is averaged down to so many times the longer side of the image

const FAINTEST = 26; // of 255: a picture whose strongest ink is fainter holds none
const TINY = 5; // a box is tiny below a fifth of the shorter side
const OFF_CENTRE = 0.2; // the box's middle is further from the picture's than this share of it
const NOISE = 3; // median deviations from the ground that are ground too

type Ink = Handwriting['ink'];

export function defaultSteps(handwriting: Handwriting): StepName[] {
  return handwriting.centre ? [...STEPS] : [];
}

export function prepare(
  given: Picture,
  [height, width, channels]: readonly [height: number, width: number, channels: number],
  handwriting: Handwriting,
  steps: Iterable<StepName> = defaultSteps(handwriting),
): Prepared {
  const chosen = new Set(steps);
  const { ink } = handwriting;
  let picture = inColours(reduced(given, LARGEST_FACTOR * Math.max(height, width)), channels < 3 ? 1 : 3);
  const stages: Stage[] = [{ name: 'picture', on: true, picture }];
  const reach = (name: StepName) => stages.push({ name, on: chosen.has(name), picture });

  const lightGround = hasLightGround(picture);
  const clean = onEvenGround(picture, lightGround, ink);
  const hints = hintsOf(clean, lightGround, handwriting);
  if (chosen.has('polarity')) picture = clean;
  reach('polarity');
  const around = border(picture).map(median);
  const hasInk = strongest(picture, ink) >= FAINTEST;

  if (chosen.has('crop') && hasInk) picture = cut(picture, ...box(picture, ink, handwriting.threshold));
  reach('crop');

  let size = fitted(picture.height, picture.width, height, width);
  if (chosen.has('scale')) {
    const { target } = handwriting;
    const smaller = fitted(picture.height, picture.width, target, target);
    if (smaller[0] <= height && smaller[1] <= width) size = smaller;
  }
  picture = average(picture, ...size);
  reach('scale');

  if (chosen.has('contrast') && hasInk) picture = stretched(picture, ink);
  reach('contrast');

  const mass = massOf(picture, ink);
  let corner: Size = [Math.floor((height - picture.height) / 2), Math.floor((width - picture.width) / 2)];
  if (chosen.has('centre') && hasInk && mass.total > 0) {
    corner = [
      Math.floor(height / 2 - mass.rows / mass.total + 0.5),
      Math.floor(width / 2 - mass.columns / mass.total + 0.5),
    ];
  }
  const placed = place(picture, corner, height, width, around, ink);
  const clipped = mass.total > 0 ? (mass.total - placed.inside) / mass.total : 0;
  picture = placed.image;
  reach('centre');
  return { image: withAlpha(picture, channels), stages, hints, clipped };
}

function extremes({ pixels }: Picture): [darkest: number, lightest: number] {
  let [darkest, lightest] = [255, 0];
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] < darkest) darkest = pixels[i];
    if (pixels[i] > lightest) lightest = pixels[i];
  }
  return [darkest, lightest];
}

function strongest(picture: Picture, ink: Ink): number {
  const [darkest, lightest] = extremes(picture);
  return ink === 'light' ? lightest : 255 - darkest;
}

// Whether the ground lies nearer to the lightest value than to the darkest; of an even picture, nearer to white.
function hasLightGround(picture: Picture): boolean {
  const all = border(picture);
  const pooled = new Uint8Array(all.length * all[0].length);
  all.forEach((values, c) => pooled.set(values, c * values.length));
  const ground = median(pooled);
  const [darkest, lightest] = extremes(picture);
  return 2 * ground > darkest + lightest || (2 * ground === darkest + lightest && ground >= 128);
}

function onEvenGround(picture: Picture, lightGround: boolean, ink: Ink): Picture {
  const { height, width, channels } = picture;
  const pixels = picture.pixels.slice();
  if (lightGround) for (let i = 0; i < pixels.length; i++) pixels[i] ^= 255; // v ^ 255 is 255 - v
  const borders = border({ pixels, height, width, channels });
  const turn = ink === 'light' ? 0 : 255;
  for (let c = 0; c < channels; c++) {
    const ground = median(borders[c]);
    let largest = 0;
    for (let i = c; i < pixels.length; i += channels) if (pixels[i] > largest) largest = pixels[i];
    const deviation = median(borders[c].map((value) => Math.abs(value - ground)));
    // A busy border must not take the ink away.
    const floor = ground + Math.min(NOISE * deviation, Math.floor((largest - ground) / 2));
    for (let i = c; i < pixels.length; i += channels) pixels[i] = (pixels[i] > floor ? pixels[i] - floor : 0) ^ turn;
  }
  return { pixels, height, width, channels };
}

// Top, bottom, left and right of all ink above the threshold; the picture has some.
function box(picture: Picture, ink: Ink, threshold: number): [number, number, number, number] {
  const { pixels, height, width, channels } = picture;
  const least = threshold * strongest(picture, ink);
  let [top, bottom, left, right] = [height, 0, width, 0];
  const turn = ink === 'light' ? 0 : 255;
  for (let row = 0, i = 0; row < height; row++) {
    for (let at = 0; at < width * channels; at++, i++) {
      if ((pixels[i] ^ turn) <= least) continue;
      const column = Math.floor(at / channels);
      if (row < top) top = row;
      if (column < left) left = column;
      if (column >= right) right = column + 1;
      bottom = row + 1;
    }
  }
  return [top, bottom, left, right];
}

// What may be wrong with handwriting on an even ground; of other pictures nothing can be said.
function hintsOf(clean: Picture, lightGround: boolean, handwriting: Handwriting): Hint[] {
  const { ink } = handwriting;
  if (!handwriting.centre) return [];
  if (strongest(clean, ink) < FAINTEST) return ['empty'];
  const { height, width } = clean;
  const [top, bottom, left, right] = box(clean, ink, handwriting.threshold);
  const off = Math.max(Math.abs(top + bottom - height) / height, Math.abs(left + right - width) / width) / 2;
  const hints: Hint[] = [];
  if (lightGround !== (ink === 'dark')) hints.push('inverted');
  if (TINY * Math.max(bottom - top, right - left) < Math.min(height, width)) hints.push('tiny');
  if (off > OFF_CENTRE) hints.push('off-centre');
  return hints;
}

function stretched(picture: Picture, ink: Ink): Picture {
  const largest = strongest(picture, ink);
  if (largest === 0) return picture;
  const turn = ink === 'light' ? 0 : 255;
  return {
    ...picture,
    pixels: picture.pixels.map((value) => Math.floor(((value ^ turn) * 255) / largest + 0.5) ^ turn),
  };
}

// All ink, and its moments by row and by column.
function massOf(picture: Picture, ink: Ink): { total: number; rows: number; columns: number } {
  const { pixels, height, width, channels } = picture;
  let [total, rows, columns] = [0, 0, 0];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let here = 0;
      for (let c = 0; c < channels; c++) {
        const value = pixels[(row * width + column) * channels + c];
        here += ink === 'light' ? value : 255 - value;
      }
      total += here;
      rows += here * row;
      columns += here * column;
    }
  }
  return { total, rows, columns };
}

// The pixels on an image of the ground `around`, and how much ink lies within it.
function place(
  picture: Picture,
  [top, left]: Size,
  height: number,
  width: number,
  around: number[],
  ink: Ink,
): { image: Picture; inside: number } {
  const { channels } = picture;
  const pixels = new Uint8Array(height * width * channels);
  for (let i = 0; i < pixels.length; i++) pixels[i] = around[i % channels];
  const rows = [Math.max(0, -top), Math.min(picture.height, height - top)] as const;
  const columns = [Math.max(0, -left), Math.min(picture.width, width - left)] as const;
  const seen = cut(picture, ...rows, ...columns);
  for (let row = 0; row < seen.height; row++) {
    const into = ((top + rows[0] + row) * width + left + columns[0]) * channels;
    const from = row * seen.width * channels;
    pixels.set(seen.pixels.subarray(from, from + seen.width * channels), into);
  }
  return { image: { pixels, height, width, channels }, inside: massOf(seen, ink).total };
}

// With 2 or 4 channels the last is opaque alpha.
function withAlpha(image: Picture, channels: number): Uint8Array {
  if (image.channels === channels) return image.pixels;
  const pixels = new Uint8Array(image.height * image.width * channels).fill(255);
  for (let i = 0; i < image.pixels.length; i++) {
    pixels[Math.floor(i / image.channels) * channels + (i % image.channels)] = image.pixels[i];
  }
  return pixels;
}
