// Pictures as bytes, resized exactly, in grey or in colours, and how much ink a pixel holds. The arithmetic is that of
// src/convscope/data/handwriting/pictures.py: sums of whole numbers, which float64 holds exactly, and values rounded as
// floor(x + 0.5).
import type { Ink } from './recipe';

export const FAINTEST = 26; // of 255: a picture whose strongest ink is fainter holds none

export interface Picture {
  pixels: Uint8Array; // (height, width, channels)
  height: number;
  width: number;
  channels: number;
}

export type Size = [height: number, width: number];

export interface Box {
  top: number;
  bottom: number; // exclusive
  left: number;
  right: number; // exclusive
}

// The picture in the colours of RGBA bytes; what is transparent lies on white.
export function fromRgba(data: ArrayLike<number>, height: number, width: number): Picture {
  const pixels = new Uint8Array(3 * height * width);
  for (let i = 0; i < height * width; i++) {
    const alpha = data[4 * i + 3];
    for (let c = 0; c < 3; c++) {
      pixels[3 * i + c] = alpha === 255 ? data[4 * i + c] : Math.round(255 + ((data[4 * i + c] - 255) * alpha) / 255);
    }
  }
  return { pixels, height, width, channels: 3 };
}

// Each grey level's four bytes as one number: a pad's drawing is painted many times at every move of the pen.
const GREYS = new Uint32Array(Uint8Array.from({ length: 4 * 256 }, (_, i) => (i % 4 === 3 ? 255 : i >> 2)).buffer);

// The same as RGBA bytes, as a canvas takes them.
export function toRgba(picture: Picture, data = new Uint8ClampedArray(4 * picture.height * picture.width)) {
  const { pixels, height, width, channels } = picture;
  if (channels === 1) {
    const whole = new Uint32Array(data.buffer, data.byteOffset, pixels.length);
    for (let i = 0; i < pixels.length; i++) whole[i] = GREYS[pixels[i]];
    return data;
  }
  const colours = channels < 3 ? 1 : 3;
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = pixels[channels * i + (colours === 3 ? c : 0)];
    data[4 * i + 3] = channels % 2 === 0 ? pixels[channels * i + channels - 1] : 255;
  }
  return data;
}

// The largest size of the same aspect within the given one.
export function fitted(height: number, width: number, mostHeight: number, mostWidth: number): Size {
  if (height * mostWidth >= width * mostHeight) {
    return [mostHeight, Math.max(1, Math.floor((width * mostHeight) / height + 0.5))];
  }
  return [Math.max(1, Math.floor((height * mostWidth) / width + 0.5)), mostWidth];
}

// Resizes by exact area averaging: a pixel is the mean of what lies under it, parts by their share.
export function average(picture: Picture, height: number, width: number): Picture {
  if (picture.height === height && picture.width === width) return picture;
  const { channels } = picture;
  const rows = windowSums(picture.pixels, 1, picture.height, picture.width * channels, height);
  const sums = windowSums(rows, height, picture.width, channels, width);
  const pixels = new Uint8Array(sums.length);
  const area = picture.height * picture.width;
  for (let i = 0; i < sums.length; i++) pixels[i] = Math.floor(sums[i] / area + 0.5);
  return { pixels, height, width, channels };
}

// Of values (outer, length, inner): `size` sums over equal stretches of `length`, in units in which a value is `size` wide.
function windowSums(values: ArrayLike<number>, outer: number, length: number, inner: number, size: number) {
  const sums = new Float64Array(outer * size * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < size; i++) {
      const start = i * length;
      const stop = start + length;
      const into = (o * size + i) * inner;
      for (let at = Math.floor(start / size); at * size < stop; at++) {
        const weight = Math.min(stop, (at + 1) * size) - Math.max(start, at * size);
        const from = (o * length + at) * inner;
        for (let k = 0; k < inner; k++) sums[into + k] += weight * values[from + k];
      }
    }
  }
  return sums;
}

// The picture, its longer side `largest` at most.
export function reduced(picture: Picture, largest: number): Picture {
  if (Math.max(picture.height, picture.width) <= largest) return picture;
  return average(picture, ...fitted(picture.height, picture.width, largest, largest));
}

// The picture in grey (1) or in colours (3).
export function inColours(picture: Picture, colours: number): Picture {
  const { pixels, height, width, channels } = picture;
  if (channels === colours) return picture;
  const converted = new Uint8Array(height * width * colours);
  for (let i = 0; i < height * width; i++) {
    if (colours === 3) {
      converted.fill(pixels[i], 3 * i, 3 * i + 3);
    } else {
      // luma of ITU-R BT.601
      const sum = 299 * pixels[3 * i] + 587 * pixels[3 * i + 1] + 114 * pixels[3 * i + 2];
      converted[i] = Math.floor((sum + 500) / 1000);
    }
  }
  return { pixels: converted, height, width, channels: colours };
}

// The part from `top` and `left` to `bottom` and `right`, which are outside of it.
export function cut(picture: Picture, top: number, bottom: number, left: number, right: number): Picture {
  const { channels } = picture;
  const [height, width] = [bottom - top, right - left];
  const pixels = new Uint8Array(height * width * channels);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * picture.width + left) * channels;
    pixels.set(picture.pixels.subarray(from, from + width * channels), row * width * channels);
  }
  return { pixels, height, width, channels };
}

// The border's values, channel by channel.
export function border(picture: Picture): Uint8Array[] {
  const { pixels, height, width, channels } = picture;
  return Array.from({ length: channels }, (_, c) => {
    const values: number[] = [];
    for (let row = 0; row < height; row++) {
      const step = row === 0 || row === height - 1 ? 1 : Math.max(1, width - 1);
      for (let column = 0; column < width; column += step) values.push(pixels[(row * width + column) * channels + c]);
    }
    return Uint8Array.from(values);
  });
}

// The middle value, the lower of the two if there are two.
export function median(values: Uint8Array): number {
  return values.slice().sort()[(values.length - 1) >> 1];
}

// A picture of the same size, its pixels written by `write`.
export function changed(picture: Picture, write: (from: Uint8Array, into: Uint8Array) => void): Picture {
  const pixels = new Uint8Array(picture.pixels.length);
  write(picture.pixels, pixels);
  return { ...picture, pixels };
}

// One channel, (height, width), each value v as v ^ turn.
export function plane({ pixels, channels }: Picture, c: number, turn = 0): Uint8Array {
  const values = new Uint8Array(pixels.length / channels);
  for (let i = c, n = 0; n < values.length; i += channels, n++) values[n] = pixels[i] ^ turn;
  return values;
}

export function extremes({ pixels }: Picture): [darkest: number, lightest: number] {
  let [darkest, lightest] = [255, 0];
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] < darkest) darkest = pixels[i];
    if (pixels[i] > lightest) lightest = pixels[i];
  }
  return [darkest, lightest];
}

// How much ink a value v holds is v ^ turn, which for 255 is 255 - v.
export const turnOf = (ink: Ink) => (ink === 'light' ? 0 : 255);

export function strongest(picture: Picture, ink: Ink): number {
  const [darkest, lightest] = extremes(picture);
  return ink === 'light' ? lightest : 255 - darkest;
}

// How much ink there is at most in any channel, (height, width).
export function strengths(picture: Picture, ink: Ink): Uint8Array {
  const { pixels, channels } = picture;
  const found = plane(picture, 0, turnOf(ink));
  for (let c = 1; c < channels; c++) {
    for (let i = c, n = 0; n < found.length; i += channels, n++) {
      found[n] = Math.max(found[n], pixels[i] ^ turnOf(ink));
    }
  }
  return found;
}

// How much ink there is in all channels, (height, width).
export function masses({ pixels, channels }: Picture, ink: Ink): Uint16Array {
  const turn = turnOf(ink);
  const found = new Uint16Array(pixels.length / channels);
  for (let n = 0, i = 0; n < found.length; n++) {
    for (let c = 0; c < channels; c++, i++) found[n] += pixels[i] ^ turn;
  }
  return found;
}

// All ink, and its moments by row and by column.
export function inkOf(picture: Picture, ink: Ink): { total: number; rows: number; columns: number } {
  const mass = masses(picture, ink);
  let [total, rows, columns] = [0, 0, 0];
  for (let i = 0, row = 0; row < picture.height; row++) {
    for (let column = 0; column < picture.width; column++, i++) {
      total += mass[i];
      rows += mass[i] * row;
      columns += mass[i] * column;
    }
  }
  return { total, rows, columns };
}

// Top, bottom, left and right of all ink above this share of the strongest, the ends exclusive; there must be some.
export function box(picture: Picture, ink: Ink, threshold: number): [number, number, number, number] {
  const { pixels, height, width, channels } = picture;
  const least = threshold * strongest(picture, ink);
  const turn = turnOf(ink);
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let c = 0; c < channels; c++, i++) {
        if ((pixels[i] ^ turn) <= least) continue;
        if (row < top) top = row;
        if (column < left) left = column;
        if (column >= right) right = column + 1;
        bottom = row + 1;
      }
    }
  }
  return [top, bottom, left, right];
}
