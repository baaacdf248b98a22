// Five made-up symbols as strokes of a pen, and drawings of them: moved, turned, scaled, sheared and unsteady, always the
// same for one seed.
import type { Stroke } from '../src/handwriting/strokes';
import { PEN } from '../src/handwriting/strokes';
import { splitMix } from '../src/training/shuffle';

type Point = [x: number, y: number];

const arc = (x: number, y: number, radius: number, from: number, to: number): Point[] =>
  Array.from({ length: 9 }, (_, i) => {
    const angle = (Math.PI / 180) * (from + ((to - from) * i) / 8);
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });

export const SYMBOLS: Record<string, Point[][]> = {
  antenna: [
    [
      [0.5, 0.85],
      [0.5, 0.4],
    ],
    [
      [0.2, 0.15],
      [0.5, 0.4],
      [0.8, 0.15],
    ],
  ],
  eye: [arc(0.5, 0.5, 0.32, 0, 360), [[0.5, 0.5]]],
  gate: [
    [
      [0.2, 0.85],
      [0.2, 0.2],
      [0.8, 0.2],
      [0.8, 0.85],
    ],
    [
      [0.2, 0.5],
      [0.8, 0.5],
    ],
  ],
  hook: [[[0.3, 0.15], [0.3, 0.6], ...arc(0.5, 0.6, 0.2, 180, 0), [0.7, 0.5]]],
  bolt: [
    [
      [0.6, 0.12],
      [0.3, 0.5],
      [0.68, 0.5],
      [0.38, 0.88],
    ],
  ],
};

export const NAMES = Object.keys(SYMBOLS);

// Makes drawing `number` of a symbol. The same number and seed always give the same drawing. The constants only tell the
// symbols and numbers apart.
export function drawing(name: string, number: number, seed = 0): Stroke[] {
  const draw = splitMix(
    splitMix(seed)() ^ Math.imul(NAMES.indexOf(name) + 1, 0x9e37) ^ Math.imul(number + 1, 0x85ebca6b),
  );
  const between = (low: number, high: number) => low + ((high - low) * draw()) / 2 ** 32;
  const angle = (Math.PI / 180) * between(-12, 12);
  const [wide, tall, shear] = [between(0.75, 1.05), between(0.75, 1.05), between(-0.15, 0.15)];
  const [right, down] = [between(-0.04, 0.04), between(-0.04, 0.04)];
  const distort = ([px, py]: Point): Point => {
    const [x, y] = [wide * (px - 0.5 + shear * (py - 0.5)), tall * (py - 0.5)];
    return [
      0.5 + right + x * Math.cos(angle) - y * Math.sin(angle) + between(-0.02, 0.02),
      0.5 + down + x * Math.sin(angle) + y * Math.cos(angle) + between(-0.02, 0.02),
    ];
  };
  return SYMBOLS[name].map((points) => ({
    width: PEN,
    points: points.map(distort).map(([x, y]) => [clampToPad(x), clampToPad(y)]),
  }));
}

const clampToPad = (share: number) => Math.min(0.97, Math.max(0.03, share));
