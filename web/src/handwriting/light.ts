// The ground and the light on it: the same as src/convscope/data/handwriting/light.py, where it is said why.
import { border, changed, extremes, median, plane, type Picture } from './picture';
import type { Ink } from './recipe';
import { closing, means } from './windows';

const EVEN = [9, 10] as const; // the border is of one level if so many of its pixels are near
const AROUND = 4; // what a pixel is compared with reaches a quarter of the shorter side to either side
const GROUND = 3; // the window of the closing reaches a third of the shorter side to either side
const SMOOTH = 100; // the ground's noise is taken out over a hundredth of the shorter side to either side
const DIMMEST = 64; // of 255: on a ground that is darker, what is missing is not enlarged further

const shorter = ({ height, width }: Picture) => Math.min(height, width);

// Whether the ground is lighter than the ink.
export function hasLightGround(picture: Picture): boolean {
  const borders = border(picture);
  const around = new Uint8Array(borders.length * borders[0].length);
  borders.forEach((values, c) => around.set(values, c * values.length));
  const [darkest, lightest] = extremes(picture);
  const ground = median(around);
  let near = 0;
  for (const value of around) if (4 * Math.abs(value - ground) <= lightest - darkest) near++;
  if (EVEN[1] * near < EVEN[0] * around.length) {
    const cubes = cubedDepartures(picture, Math.floor(shorter(picture) / AROUND));
    if (cubes !== 0) return cubes < 0;
  }
  return 2 * ground > darkest + lightest || (2 * ground === darkest + lightest && ground >= 128);
}

// The sum of the third powers of what every pixel departs from the mean around it.
function cubedDepartures(picture: Picture, reach: number): number {
  const { height, width, channels } = picture;
  let sum = 0;
  for (let c = 0; c < channels; c++) {
    const values = plane(picture, c);
    const around = means(values, height, width, reach);
    for (let i = 0; i < values.length; i++) {
      const departure = values[i] - around[i];
      sum += departure * departure * departure;
    }
  }
  return sum;
}

// The picture with the data set's polarity: inverted where light ground would be light ink, or dark dark.
export function turned(picture: Picture, lightGround: boolean, ink: Ink): Picture {
  if (lightGround !== (ink === 'light')) return picture;
  return changed(picture, (from, into) => {
    for (let i = 0; i < from.length; i++) into[i] = from[i] ^ 255; // 255 - v
  });
}

// The picture on a ground of 0 (or 255 for dark ink) wherever the light is uneven.
export function evenLight(picture: Picture, ink: Ink): Picture {
  const { height, width, channels } = picture;
  const reach = Math.max(1, Math.floor(shorter(picture) / GROUND));
  const smooth = Math.floor(shorter(picture) / SMOOTH);
  const turn = ink === 'light' ? 255 : 0; // v ^ turn is lightness, and with the turn of ink it is ink
  return changed(picture, (from, into) => {
    for (let c = 0; c < channels; c++) {
      const lightness = plane(picture, c, turn);
      const even = evenGround(lightness, height, width, reach, smooth);
      if (even !== null) {
        const taken = takenOn(even);
        for (let i = c, n = 0; i < from.length; i += channels, n++) into[i] = taken[lightness[n]] ^ turn ^ 255;
        continue;
      }
      const ground = closing(means(lightness, height, width, smooth), height, width, reach);
      for (let i = c, n = 0; i < from.length; i += channels, n++) {
        const missing = ground[n] - lightness[n];
        const taken = missing > 0 ? Math.floor((missing * 255) / Math.max(ground[n], DIMMEST) + 0.5) : 0;
        into[i] = taken ^ turn ^ 255;
      }
    }
  });
}

// (256,): the ink of each lightness on one ground.
function takenOn(ground: number): Uint8Array {
  const least = Math.max(ground, DIMMEST);
  return Uint8Array.from({ length: 256 }, (_, lightness) =>
    Math.floor((Math.max(0, ground - lightness) * 255) / least + 0.5),
  );
}

// What the closing is where it is the same everywhere because the lightest value lies in every window, as on a clean
// drawing; null where this does not show at once.
//
// A closing is nowhere lighter than the lightest value. It is that value everywhere if each window of the dilation has
// it. These windows are as wide as two stretches of `reach` + 1, less one, so one that lies within the picture holds a
// whole stretch of those that start at the multiples of `reach` + 1, whichever way one looks; one that is cut off at an
// edge holds a corner, or such a stretch of the edge. A mean is the lightest value where all values are that it is of.
function evenGround(lightness: Uint8Array, height: number, width: number, reach: number, smooth: number) {
  let lightest = 0;
  for (let i = 0; i < lightness.length; i++) if (lightness[i] > lightest) lightest = lightness[i];
  const isLightest = (row: number, column: number): boolean => {
    const [bottom, right] = [Math.min(height - 1, row + smooth), Math.min(width - 1, column + smooth)];
    for (let y = Math.max(0, row - smooth); y <= bottom; y++) {
      for (let x = Math.max(0, column - smooth); x <= right; x++) {
        if (lightness[y * width + x] !== lightest) return false;
      }
    }
    return true;
  };
  const hasLightest = (top: number, bottom: number, left: number, right: number): boolean => {
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) if (isLightest(row, column)) return true;
    }
    return false;
  };
  const rows = stretches(height, reach + 1);
  const columns = stretches(width, reach + 1);
  for (const [top, bottom] of rows) {
    for (const [left, right] of columns) if (!hasLightest(top, bottom, left, right)) return null;
  }
  return lightest;
}

// The first place, the last, and the whole stretches of `size` from 0 on, as [start, end) of `length` places.
function stretches(length: number, size: number): [number, number][] {
  const found: [number, number][] = [
    [0, 1],
    [length - 1, length],
  ];
  for (let start = 0; start + size <= length; start += size) found.push([start, start + size]);
  return found;
}
