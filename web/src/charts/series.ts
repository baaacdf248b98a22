// The lines of a chart, and their colours.
import { digits, number, say } from '../text/say.svelte';
import type { Value } from '../ui/download';

export interface Series {
  name: string;
  colour?: string; // any CSS colour
  dashed?: boolean;
  points: [number, number][]; // x, y; NaN leaves a gap
  band?: [number, number, number][]; // x, low, high
}

// Violet, orange, ink and grey differ in lightness too, so they can be distinguished in deuteranopia and in print.
const COLOURS = ['var(--accent)', 'var(--warm)', 'var(--ink)', 'var(--muted)'];

export function colourOf(series: Series, index: number): string {
  return series.colour ?? COLOURS[index % COLOURS.length];
}

// Series after the first four, which repeat the colours, are dashed.
export function dashOf(series: Series, index: number): string | undefined {
  return (series.dashed ?? index >= COLOURS.length) ? '5 4' : undefined;
}

// Moves labels apart, so that their middles are at least `gap` apart, from `low` to `high`: first down, each below the one
// above it, then up from `high`. With gap 16 up to 90, middles 50 52 88 become 50 66 88, and 70 80 90 become 58 74 90.
export function spreadLabels(middles: number[], gap: number, low: number, high: number): number[] {
  const order = middles.map((_, i) => i).sort((a, b) => middles[a] - middles[b]);
  const placed = [...middles];
  let floor = low;
  for (const i of order) {
    placed[i] = Math.max(placed[i], floor);
    floor = placed[i] + gap;
  }
  let ceiling = high;
  for (const i of order.reverse()) {
    placed[i] = Math.min(placed[i], ceiling);
    ceiling = placed[i] - gap;
  }
  return placed;
}

// By how many x values a key moves the marker.
export const KEY_STEPS: Record<string, number> = {
  ArrowRight: 1,
  ArrowUp: 1,
  ArrowLeft: -1,
  ArrowDown: -1,
  Home: -Infinity,
  End: Infinity,
};

// Formats a number of any size with about three digits.
export function shortText(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return number(value);
  const size = Math.abs(value);
  return digits(size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(1));
}

// Formats a value for a table: five digits, or all digits of an integer.
export function tableText(value: Value): string {
  if (typeof value !== 'number') return value ?? '';
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  if (Number.isInteger(value)) return number(value);
  const size = Math.abs(value);
  return digits(size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(5))) : value.toExponential(3));
}

// Makes a table of all lines, and of the edges of their bands, over their common x.
export function tableOf(series: Series[], xLabel: string): { columns: { name: string }[]; rows: Value[][] } {
  const names = series.flatMap(({ name, band }) =>
    band ? [name, say('charts.low', { name }), say('charts.high', { name })] : [name],
  );
  const byX = new Map<number, Value[]>();
  const setCell = (x: number, column: number, value: number) => {
    const row = byX.get(x) ?? [x, ...names.map(() => null)];
    row[column] = value;
    byX.set(x, row);
  };
  let column = 1;
  for (const { points, band } of series) {
    for (const [x, y] of points) setCell(x, column, y);
    column++;
    if (band === undefined) continue;
    for (const [x, low, high] of band) {
      setCell(x, column, low);
      setCell(x, column + 1, high);
    }
    column += 2;
  }
  const rows = [...byX.values()].sort((a, b) => Number(a[0]) - Number(b[0]));
  return { columns: [xLabel, ...names].map((name) => ({ name })), rows };
}
