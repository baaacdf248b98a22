// What a line chart draws, and the colours that its lines get in turn.

export interface Series {
  name: string;
  colour?: string; // any CSS colour
  dashed?: boolean;
  points: [number, number][]; // x, y; what is not a number leaves a gap
  band?: [number, number, number][]; // x, low, high
}

// Blue, orange, ink and grey differ in lightness too, so they are told apart in deuteranopia and in print.
const COLOURS = ['var(--accent)', 'var(--warm)', 'var(--ink)', 'var(--muted)'];

export function colourOf(series: Series, place: number): string {
  return series.colour ?? COLOURS[place % COLOURS.length];
}

// A second turn of the colours is dashed.
export function dashOf(series: Series, place: number): string | undefined {
  return (series.dashed ?? place >= COLOURS.length) ? '5 4' : undefined;
}

// Moves labels apart, downwards and then back up, so that none covers another: `at` are their middles.
export function apart(at: number[], gap: number, low: number, high: number): number[] {
  const order = at.map((_, i) => i).sort((a, b) => at[a] - at[b]);
  const placed = [...at];
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

// Text for a number whose size is not known before.
export function plain(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return value.toLocaleString('en');
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}
