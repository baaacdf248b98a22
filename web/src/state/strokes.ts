// Packs a drawing into a short text for an address: base64url of whole numbers, each in bytes of seven bits, the lowest first,
// and a bit that says whether another follows. A stroke is the width of its pen, its number of points, and the step from each
// point to the next, on a grid of 1024 × 1024.
import { GRID, type Stroke } from '../handwriting/strokes';

const WIDTHS = 1000; // steps of a pen's width
const MAX_STROKES = 400; // limits against hostile links
const MAX_POINTS = 20_000;
const MAX_LETTERS = 60_000;

const onGrid = (share: number) => Math.round(GRID * Math.min(1, Math.max(0, share)));
// Signed numbers as unsigned: 0, -1, 1, -2 become 0, 1, 2, 3, so that small steps take one byte.
const zigzag = (n: number) => (n < 0 ? -2 * n - 1 : 2 * n);
const unzigzag = (n: number) => (n % 2 === 1 ? -(n + 1) / 2 : n / 2);

// Appends a number: 300 = 2 * 128 + 44 is the bytes 128 + 44, where 128 says that another follows, and 2.
function pushNumber(bytes: number[], n: number): void {
  for (; n > 127; n >>= 7) bytes.push(128 + (n & 127));
  bytes.push(n);
}

export function packStrokes(strokes: Stroke[]): string {
  const bytes: number[] = [];
  for (const stroke of strokes) {
    const points: [number, number][] = [];
    for (const [x, y] of stroke.points) {
      const point: [number, number] = [onGrid(x), onGrid(y)];
      const last = points.at(-1);
      if (last === undefined || last[0] !== point[0] || last[1] !== point[1]) points.push(point);
    }
    if (points.length === 0) continue;
    pushNumber(bytes, Math.max(1, Math.min(WIDTHS, Math.round(WIDTHS * stroke.width))));
    pushNumber(bytes, points.length);
    let [x, y] = [0, 0];
    for (const point of points) {
      pushNumber(bytes, zigzag(point[0] - x));
      pushNumber(bytes, zigzag(point[1] - y));
      [x, y] = point;
    }
  }
  const text = btoa(bytes.map((byte) => String.fromCharCode(byte)).join(''));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

// Decodes a drawing; null if the text is not valid.
export function unpackStrokes(text: string): Stroke[] | null {
  if (text === '') return [];
  if (text.length > MAX_LETTERS || text.length % 4 === 1 || !/^[\w-]+$/.test(text)) return null;
  const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  let offset = 0;
  const readNumber = (limit: number): number => {
    let n = 0;
    // Three bytes are enough for every limit.
    for (let shift = 0; shift < 21; shift += 7) {
      if (offset >= bytes.length) return NaN;
      const byte = bytes.charCodeAt(offset++);
      n += (byte & 127) << shift;
      if (byte < 128) return n <= limit ? n : NaN;
    }
    return NaN;
  };
  const strokes: Stroke[] = [];
  let pointsLeft = MAX_POINTS;
  while (offset < bytes.length) {
    const width = readNumber(WIDTHS);
    const count = readNumber(pointsLeft);
    if (!(width >= 1 && count >= 1) || strokes.length === MAX_STROKES) return null;
    pointsLeft -= count;
    const points: [number, number][] = [];
    let [x, y] = [0, 0];
    for (let i = 0; i < count; i++) {
      x += unzigzag(readNumber(2 * GRID + 1));
      y += unzigzag(readNumber(2 * GRID + 1));
      if (!(x >= 0 && x <= GRID && y >= 0 && y <= GRID)) return null; // NaN fails too
      points.push([x / GRID, y / GRID]);
    }
    strokes.push({ width: width / WIDTHS, points });
  }
  return strokes;
}
