// Writing fitted into an image: cropped, scaled, stretched to full contrast, its mass put in the middle. The same as
// src/convscope/data/handwriting/fitting.py.
import { average, box, changed, cut, fitted, inkOf, strongest, turnOf, type Picture, type Size } from './picture';
import type { Ink } from './recipe';

// The box of all ink above this share of the strongest; there must be some.
export function cropped(picture: Picture, ink: Ink, threshold: number): Picture {
  return cut(picture, ...box(picture, ink, threshold));
}

// The picture with its longer side of `target` pixels, or as large as the image holds it, aspect kept.
export function scaled(picture: Picture, height: number, width: number, target: number | null): Picture {
  let size = fitted(picture.height, picture.width, height, width);
  if (target !== null) {
    const smaller = fitted(picture.height, picture.width, target, target);
    if (smaller[0] <= height && smaller[1] <= width) size = smaller;
  }
  return average(picture, ...size);
}

// The picture with its strongest ink at full strength; of each channel the same share.
export function stretched(picture: Picture, ink: Ink): Picture {
  const most = strongest(picture, ink);
  if (most === 0) return picture;
  const turn = turnOf(ink);
  return changed(picture, (from, into) => {
    for (let i = 0; i < from.length; i++) into[i] = Math.floor(((from[i] ^ turn) * 255) / most + 0.5) ^ turn;
  });
}

// Where the first pixel goes if the centre of mass comes to the middle; the picture's middle if there is no ink.
export function centredCorner(picture: Picture, ink: Ink, height: number, width: number): Size {
  const { total, rows, columns } = inkOf(picture, ink);
  if (total === 0) return middleCorner(picture, height, width);
  return [Math.floor(height / 2 - rows / total + 0.5), Math.floor(width / 2 - columns / total + 0.5)];
}

export function middleCorner(picture: Picture, height: number, width: number): Size {
  return [Math.floor((height - picture.height) / 2), Math.floor((width - picture.width) / 2)];
}

// The pixels from a corner on, on an image of the ground `around`, and which share of the ink is outside.
export function placed(
  picture: Picture,
  [top, left]: Size,
  height: number,
  width: number,
  around: number[],
  ink: Ink,
): { image: Picture; clipped: number } {
  const { channels } = picture;
  const pixels = new Uint8Array(height * width * channels);
  for (let i = 0; i < pixels.length; i++) pixels[i] = around[i % channels];
  const [above, below] = [Math.max(0, -top), Math.min(picture.height, height - top)];
  const [before, behind] = [Math.max(0, -left), Math.min(picture.width, width - left)];
  const seen = cut(picture, above, below, before, behind);
  for (let row = 0; row < seen.height; row++) {
    const into = ((top + above + row) * width + left + before) * channels;
    const from = row * seen.width * channels;
    pixels.set(seen.pixels.subarray(from, from + seen.width * channels), into);
  }
  const { total } = inkOf(picture, ink);
  const clipped = total > 0 ? (total - inkOf(seen, ink).total) / total : 0;
  return { image: { pixels, height, width, channels }, clipped };
}
