// Slanted writing set upright: the same as src/convscope/data/handwriting/slant.py.
import { border, masses, median, type Picture } from './picture';
import type { Ink } from './recipe';

const PARTS = 256; // a row is moved by whole 256ths of a pixel

// The picture sheared by its rows until the ink no longer leans, with columns of ground on both sides to make room.
export function deslanted(picture: Picture, ink: Ink): Picture {
  const { pixels, height, channels } = picture;
  const [slope, middle] = slopeOf(picture, ink);
  const shifts = Array.from({ length: height }, (_, i) => Math.floor(-slope * (i - middle) * PARTS + 0.5));
  const room = Math.ceil(Math.max(...shifts.map(Math.abs)) / PARTS);
  if (room === 0) return picture;
  const width = picture.width + 2 * room;
  const ground = border(picture).map(median);
  const upright = new Uint8Array(height * width * channels);
  for (let row = 0, into = 0; row < height; row++) {
    const whole = Math.floor(shifts[row] / PARTS);
    const share = shifts[row] - whole * PARTS;
    const from = row * picture.width;
    const valueAt = (column: number, c: number) =>
      column >= 0 && column < picture.width ? pixels[(from + column) * channels + c] : ground[c];
    for (let column = 0; column < width; column++) {
      const here = column - room - whole;
      for (let c = 0; c < channels; c++, into++) {
        const sum = (PARTS - share) * valueAt(here, c) + share * valueAt(here - 1, c);
        upright[into] = Math.floor((sum + PARTS / 2) / PARTS);
      }
    }
  }
  return { pixels: upright, height, width, channels };
}

// How many columns the ink leans right a row downwards, -1 to 1, and the row of its centre of mass.
function slopeOf(picture: Picture, ink: Ink): [slope: number, row: number] {
  const { height, width } = picture;
  const mass = masses(picture, ink);
  let [total, rows, columns, squares, products] = [0, 0, 0, 0, 0];
  for (let i = 0, row = 0; row < height; row++) {
    let [here, moment] = [0, 0];
    for (let column = 0; column < width; column++, i++) {
      here += mass[i];
      moment += mass[i] * column;
    }
    total += here;
    rows += here * row;
    columns += moment;
    squares += here * row * row;
    products += moment * row;
  }
  if (total === 0) return [0, 0];
  const [row, column] = [rows / total, columns / total];
  const variance = squares / total - row * row;
  const covariance = products / total - column * row;
  return [variance > 0 ? Math.min(1, Math.max(-1, covariance / variance)) : 0, row];
}
