// What may be wrong with a picture of handwriting, found on an even ground and without specks: the same as
// src/convscope/data/handwriting/hints.py.
import { FAINTEST, strengths, strongest, type Box, type Picture } from './picture';
import { boxesOf } from './pieces';
import type { Handwriting } from './recipe';

export const HINTS = ['empty', 'inverted', 'tiny', 'off-centre', 'several'] as const;
export type Hint = (typeof HINTS)[number];

const TINY = 5; // a box is tiny below a fifth of the picture's shorter side
const OFF_CENTRE = 0.2; // the box's middle is further from the picture's than this share of it
const SIMILAR = 2; // pieces at least half as long as the longest,
const APART = 5; // and a fifth of its length apart

export function hintsOf(clean: Picture, lightGround: boolean, { ink, threshold }: Handwriting): Hint[] {
  const most = strongest(clean, ink);
  if (most < FAINTEST) return ['empty'];
  const isInk = strengths(clean, ink);
  const least = threshold * most;
  for (let i = 0; i < isInk.length; i++) isInk[i] = isInk[i] > least ? 1 : 0;
  const { height, width } = clean;
  const boxes = boxesOf(isInk, height, width);
  const [top, bottom] = [leastOf(boxes, (one) => one.top), mostOf(boxes, (one) => one.bottom)];
  const [left, right] = [leastOf(boxes, (one) => one.left), mostOf(boxes, (one) => one.right)];
  const off = Math.max(Math.abs(top + bottom - height) / height, Math.abs(left + right - width) / width) / 2;
  const hints: Hint[] = [];
  if (lightGround !== (ink === 'dark')) hints.push('inverted');
  if (TINY * Math.max(bottom - top, right - left) < Math.min(height, width)) hints.push('tiny');
  if (off > OFF_CENTRE) hints.push('off-centre');
  if (areSeveral(boxes)) hints.push('several');
  return hints;
}

const leastOf = (boxes: Box[], side: (one: Box) => number) => boxes.reduce((a, b) => Math.min(a, side(b)), Infinity);
const mostOf = (boxes: Box[], side: (one: Box) => number) => boxes.reduce((a, b) => Math.max(a, side(b)), -Infinity);

// Whether two pieces of similar length are apart, by rows or by columns.
function areSeveral(boxes: Box[]): boolean {
  const lengthOf = ({ top, bottom, left, right }: Box) => Math.max(bottom - top, right - left);
  const longest = mostOf(boxes, lengthOf);
  const long = boxes.filter((one) => SIMILAR * lengthOf(one) >= longest);
  const rows = mostOf(long, (one) => one.top) - leastOf(long, (one) => one.bottom);
  const columns = mostOf(long, (one) => one.left) - leastOf(long, (one) => one.right);
  return APART * Math.max(rows, columns) >= longest;
}
