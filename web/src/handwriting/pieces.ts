// Pieces of ink: what is connected, over corners too.
import type { Box } from './picture';

export interface Pieces {
  labels: Int32Array; // (height, width): 0 where there is no ink, else a number from 1 on
  pieceOf: Int32Array; // of each number, the piece that it is a part of, which is one of the numbers; 0 of 0
  count: number; // of pieces
}

// Of a plane (height, width) that is not 0 where there is ink.
export function piecesOf(isInk: Uint8Array, height: number, width: number): Pieces {
  const labels = new Int32Array(height * width);
  // What a number turned out to be a part of: itself or a smaller one.
  const whole = new Int32Array(1 + Math.ceil(height / 2) * Math.ceil(width / 2));
  let largest = 0;
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      if (isInk[i] === 0) continue;
      const above = row > 0 ? labels[i - width] : 0;
      if (above > 0) {
        labels[i] = above; // and with it all its neighbours
        continue;
      }
      const before = column > 0 ? labels[i - 1] || (row > 0 ? labels[i - width - 1] : 0) : 0;
      const behind = row > 0 && column + 1 < width ? labels[i - width + 1] : 0;
      if (before > 0 && behind > 0) join(whole, before, behind);
      labels[i] = before || behind || ++largest;
      if (labels[i] === largest && whole[largest] === 0) whole[largest] = largest;
    }
  }
  let count = 0;
  for (let label = 1; label <= largest; label++) {
    if (whole[label] === label) count++;
    else whole[label] = whole[whole[label]];
  }
  return { labels, pieceOf: whole.subarray(0, largest + 1), count };
}

// The box of each piece.
export function boxesOf(isInk: Uint8Array, height: number, width: number): Box[] {
  const { labels, pieceOf } = piecesOf(isInk, height, width);
  const boxes = new Map<number, Box>();
  let [label, box] = [0, { top: 0, bottom: 0, left: 0, right: 0 }]; // of the pixel before
  for (let i = 0, row = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      if (labels[i] === 0) continue;
      if (labels[i] !== label) {
        label = labels[i];
        const known = boxes.get(pieceOf[label]);
        box = known ?? { top: row, bottom: row + 1, left: column, right: column + 1 };
        if (known === undefined) boxes.set(pieceOf[label], box);
      }
      box.bottom = row + 1; // rows come in their order
      if (column < box.left) box.left = column;
      if (column >= box.right) box.right = column + 1;
    }
  }
  return [...boxes.values()];
}

function join(whole: Int32Array, a: number, b: number): void {
  const [first, second] = [rootOf(whole, a), rootOf(whole, b)];
  whole[Math.max(first, second)] = Math.min(first, second);
}

function rootOf(whole: Int32Array, label: number): number {
  let root = label;
  while (whole[root] !== root) {
    whole[root] = whole[whole[root]];
    root = whole[root];
  }
  return root;
}
