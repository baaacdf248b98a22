// Paints the map of test images: a dot for each, the names of the classes, and the image on the bench.
import type { Neighbour, Point, TestMap } from '../analysis/whereabouts';

export interface Whereabouts {
  map: TestMap;
  now: { point: Point; neighbours: Neighbour[]; classes: [label: number, count: number][] } | null;
  classNames: string[];
  width: number; // CSS pixels
  height: number;
}

const MARGIN = 24; // CSS pixels
const [DOT, RING, HERE] = [2, 5, 7]; // CSS pixels: side of a dot, radius of a neighbour's ring and of the image on the bench
const MAX_NAMES = 26; // with more classes, only those of the neighbours are named

const rangesOf = (points: Point[]) =>
  [0, 1].map((axis) => {
    const numbers = points.map((point) => point[axis]);
    return [Math.min(...numbers), Math.max(...numbers)];
  });

// Makes a function from points of the map to CSS pixels, with one scale for both axes. It moves points outside to the edge.
function makeScale(points: Point[], width: number, height: number): (point: Point) => Point {
  const ranges = rangesOf(points);
  const [xSpan, ySpan] = ranges.map(([low, high]) => high - low || 1);
  const [xMiddle, yMiddle] = ranges.map(([low, high]) => (low + high) / 2);
  const scale = Math.min((width - 2 * MARGIN) / xSpan, (height - 2 * MARGIN) / ySpan);
  const clamp = (value: number, end: number) => Math.max(HERE, Math.min(end - HERE, value));
  return ([x, y]) => [
    clamp(width / 2 + scale * (x - xMiddle), width),
    clamp(height / 2 - scale * (y - yMiddle), height),
  ];
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

// The canvas, with what every part of the map needs to draw on it.
interface Surface {
  context: CanvasRenderingContext2D;
  colour: (name: string) => string;
  toCanvas: (point: Point) => Point;
  main: number | null; // the most frequent class of the neighbours, which stands out
}

export function paintWhereabouts(canvas: HTMLCanvasElement, contents: Whereabouts): void {
  const { map, now, width, height } = contents;
  const context = canvas.getContext('2d');
  if (context === null) return;
  const scale = devicePixelRatio;
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  context.scale(scale, scale);
  const colour = (name: string) => getComputedStyle(canvas).getPropertyValue(`--${name}`);
  const toCanvas = makeScale(map.points, width, height);
  const surface = { context, colour, toCanvas, main: now?.classes[0]?.[0] ?? null };
  paintDots(surface, map);
  paintNames(surface, contents);
  if (now !== null) paintImage(surface, now);
}

// Paints a dot for each test image, those of the class `main` last and darker.
function paintDots({ context, colour, toCanvas, main }: Surface, map: TestMap): void {
  for (const isMain of [false, true]) {
    context.fillStyle = colour(isMain ? 'ink' : 'muted');
    context.globalAlpha = isMain ? 0.8 : 0.35;
    map.points.forEach((point, i) => {
      if ((map.labels[i] === main) !== isMain) return;
      const [x, y] = toCanvas(point);
      context.fillRect(x - DOT / 2, y - DOT / 2, DOT, DOT);
    });
  }
  context.globalAlpha = 1;
}

// Writes the name of each class at the median of its dots.
function paintNames({ context, colour, toCanvas, main }: Surface, { map, now, classNames }: Whereabouts): void {
  context.font = `600 15px ${colour('sans')}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  const namedClasses = classNames
    .map((_, k) => k)
    .filter((k) => classNames.length <= MAX_NAMES || now?.classes.some(([label]) => label === k));
  for (const k of namedClasses) {
    const points = map.points.filter((_, i) => map.labels[i] === k).map(toCanvas);
    if (points.length === 0) continue;
    const [x, y] = [0, 1].map((axis) => median(points.map((position) => position[axis])));
    context.strokeStyle = colour('paper');
    context.lineWidth = 4;
    context.fillStyle = colour(k === main ? 'ink' : 'muted');
    context.strokeText(classNames[k], x, y);
    context.fillText(classNames[k], x, y);
  }
}

// Paints the image on the bench, joined to a ring around each neighbour.
function paintImage({ context, colour, toCanvas }: Surface, now: NonNullable<Whereabouts['now']>): void {
  const [x, y] = toCanvas(now.point);
  context.strokeStyle = colour('accent');
  for (const { point } of now.neighbours) {
    const [left, top] = toCanvas(point);
    context.lineWidth = 1;
    context.globalAlpha = 0.5;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(left, top);
    context.stroke();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(left, top, RING, 0, 2 * Math.PI);
    context.stroke();
  }
  context.fillStyle = colour('accent');
  context.strokeStyle = colour('paper');
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, HERE, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
}
