// Ink parted from paper, and what is too small to be writing dropped from it: the same as
// src/convscope/data/handwriting/ink.py, where it is said why.
import { border, changed, masses, median, strengths, turnOf, type Picture } from './picture';
import { piecesOf } from './pieces';
import type { Ink } from './recipe';
import { near } from './windows';

const NOISE = 3; // median deviations from the ground that are ground too
const STRONG = 0.8; // share of the middle between weak and strong from which ink is strong
const NEAR = 28; // a weak pixel is kept within a 28th of the longer side of a strong one
const SPECK = 20; // a piece with less than a 20th of the largest piece's ink is no part of the writing

// The picture with ink alone: paper is exactly 0 (or 255 for dark ink).
export function parted(picture: Picture, ink: Ink): Picture {
  const { height, width, channels } = picture;
  const turn = turnOf(ink);
  const most = new Uint8Array(height * width); // of the channels
  return changed(picture, (from, into) => {
    const borders = border(picture);
    for (let c = 0; c < channels; c++) {
      const floor = floorOf(
        borders[c].map((value) => value ^ turn),
        from,
        c,
        channels,
        turn,
      );
      for (let i = c, n = 0; i < from.length; i += channels, n++) {
        const above = (from[i] ^ turn) - floor;
        into[i] = above > 0 ? above : 0;
        if (above > most[n]) most[n] = above;
      }
    }
    const least = STRONG * betweenClasses(most);
    const isKept = near(most, least, height, width, Math.max(1, Math.floor(Math.max(height, width) / NEAR)));
    for (let c = 0; c < channels; c++) {
      for (let i = c, n = 0; i < into.length; i += channels, n++) into[i] = (isKept[n] === 0 ? 0 : into[i]) ^ turn;
    }
  });
}

// Up to which strength a channel is ground: the median of its border, and the noise of it.
function floorOf(around: Uint8Array, pixels: Uint8Array, c: number, channels: number, turn: number): number {
  const ground = median(around);
  let strongest = 0;
  for (let i = c; i < pixels.length; i += channels) {
    if ((pixels[i] ^ turn) > strongest) strongest = pixels[i] ^ turn;
  }
  const noise = NOISE * median(around.map((value) => Math.abs(value - ground)));
  return ground + Math.min(noise, Math.floor((strongest - ground) / 2)); // a busy border must not take the ink away
}

// The middle between the mean of weak and of strong values above 0, parted where Otsu parts them; 0 where all are alike.
export function betweenClasses(values: Uint8Array): number {
  const counts = new Float64Array(256);
  for (let i = 0; i < values.length; i++) if (values[i] > 0) counts[values[i]]++;
  let [all, allSum] = [0, 0];
  for (let value = 1; value < 256; value++) {
    all += counts[value];
    allSum += value * counts[value];
  }
  let [weak, weakSum, best, middle] = [0, 0, 0, 0];
  for (let value = 1; value < 256; value++) {
    weak += counts[value];
    weakSum += value * counts[value];
    const [strong, strongSum] = [all - weak, allSum - weakSum];
    if (weak === 0 || strong === 0) continue;
    const apart = weakSum * strong - strongSum * weak;
    const between = (apart * apart) / (weak * strong);
    if (between <= best) continue;
    best = between;
    middle = (weakSum / weak + strongSum / strong) / 2;
  }
  return middle;
}

// The picture without the pieces of ink that hold less than a 20th of the largest one's.
export function withoutSpecks(picture: Picture, ink: Ink): Picture {
  const { height, width, channels } = picture;
  const turn = turnOf(ink);
  const { labels, pieceOf, count } = piecesOf(strengths(picture, ink), height, width);
  if (count < 2) return picture;
  const mass = masses(picture, ink);
  const sums = new Float64Array(pieceOf.length);
  for (let i = 0; i < mass.length; i++) sums[pieceOf[labels[i]]] += mass[i];
  const heaviest = sums.reduce((a, b) => Math.max(a, b));
  return changed(picture, (from, into) => {
    for (let n = 0, i = 0; n < labels.length; n++) {
      const isSpeck = labels[n] > 0 && SPECK * sums[pieceOf[labels[n]]] < heaviest;
      for (let c = 0; c < channels; c++, i++) into[i] = isSpeck ? turn : from[i];
    }
  });
}
