// Draws the map of test images: a dot of its class's colour for each, and the names of the classes.
import type { Point, TestMap } from '../../analysis/whereabouts';

export const HERE = 6; // CSS pixels: radius of the image on the bench
const [FAINT, DOT] = [1.5, 3]; // CSS pixels: side of a dot; images that the page holds have the larger ones
const MAX_NAMES = 26; // with more classes, none is named

const rangesOf = (points: Point[]) =>
  [0, 1].map((axis) => {
    const numbers = points.map((point) => point[axis]);
    return [Math.min(...numbers), Math.max(...numbers)];
  });

// Makes a function from points of the map to CSS pixels. It moves points outside to the edge.
export function makeScale(points: Point[], width: number, height: number): (point: Point) => Point {
  const ranges = rangesOf(points);
  const along = (value: number, [low, high]: number[], length: number) => {
    const position = HERE + (length - 2 * HERE) * ((value - low) / (high - low || 1));
    return Math.max(HERE, Math.min(length - HERE, position));
  };
  return ([x, y]) => [along(x, ranges[0], width), height - along(y, ranges[1], height)];
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

export interface Dots {
  map: TestMap;
  held: { point: Point; label: number }[]; // images that the page holds
  classNames: string[];
  width: number; // CSS pixels
  height: number;
  isNamed: boolean; // there is room for the names of the classes
}

export function paintDots(canvas: HTMLCanvasElement, { map, held, classNames, width, height, isNamed }: Dots): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const scale = devicePixelRatio;
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  context.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(`--${name}`);
  const lightness = style.colorScheme.includes('light') ? 0.6 : 0.74;
  const colourOf = (label: number) => `oklch(${lightness} 0.16 ${(360 * label) / classNames.length + 20})`;
  const toCanvas = makeScale(map.points, width, height);
  const dot = (point: Point, label: number, side: number) => {
    const [x, y] = toCanvas(point);
    context.fillStyle = colourOf(label);
    context.fillRect(x - side / 2, y - side / 2, side, side);
  };
  context.globalAlpha = 0.6;
  map.points.forEach((point, i) => dot(point, map.labels[i], FAINT));
  context.globalAlpha = 1;
  for (const { point, label } of held) dot(point, label, DOT);
  if (!isNamed || classNames.length > MAX_NAMES) return;
  context.font = `600 15px ${colour('sans')}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  context.strokeStyle = colour('paper');
  context.fillStyle = colour('ink');
  context.lineWidth = 4;
  for (const [k, name] of classNames.entries()) {
    const points = map.points.filter((_, i) => map.labels[i] === k).map(toCanvas);
    if (points.length === 0) continue;
    const [x, y] = [0, 1].map((axis) => median(points.map((position) => position[axis])));
    context.strokeText(name, x, y);
    context.fillText(name, x, y);
  }
}
