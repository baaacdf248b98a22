// Bars as an SVG drawing for a file; on the page they are HTML boxes.
import { scaleLinear } from 'd3-scale';
import { say } from '../text/say.svelte';
import { colour, drawing, element, text, widthOf } from './svg';

export interface DrawnBar {
  name: string;
  value: number;
  before?: number; // an earlier value, drawn behind the bar in a paler colour
  text: string;
}

const ROW = 24; // px of height for each bar
const TOP = 28; // px above the bars, for the heading
const SCALE_WIDTH = 240; // px from one end of the scale to the other
const GAP = 12; // px between names, bars and numbers, and around them
const MAX_BARS = 256; // browsers make no PNG of a longer drawing

// Draws bars on a scale from `low` to `high`: gap, name, gap, scale, gap, number, gap. `signed` takes the colours of signed
// maps, orange above zero and blue below.
export function drawBars(
  title: string,
  bars: DrawnBar[],
  [low, high]: [number, number],
  signed: boolean,
): SVGSVGElement {
  const shown = bars.slice(0, MAX_BARS);
  const heading = shown.length < bars.length ? say('charts.first', { title, shown: MAX_BARS, n: bars.length }) : title;
  const nameWidth = Math.max(...shown.map((bar) => widthOf(bar.name)), 0);
  const numberWidth = Math.max(...shown.map((bar) => widthOf(bar.text)), 0);
  const left = nameWidth + 2 * GAP;
  const x = scaleLinear([low, high > low ? high : low + 1], [left, left + SCALE_WIDTH]).clamp(true);
  const [above, below] = signed ? [colour('for'), colour('against')] : [colour('accent'), colour('warm')];
  const width = Math.max(left + SCALE_WIDTH + numberWidth + 2 * GAP, widthOf(heading) + 2 * GAP);
  const bottom = TOP + ROW * shown.length;
  const bar = (value: number, middle: number, height: number, fill: string) =>
    element('rect', {
      x: Math.min(x(0), x(value)),
      y: middle - height / 2,
      width: Math.max(1, Math.abs(x(value) - x(0))),
      height,
      fill,
    });
  const rows = shown.flatMap(({ name, value, before, text: number }, i) => {
    const middle = TOP + ROW * (i + 0.5);
    return [
      text(name, { x: nameWidth + GAP, y: middle, dy: '0.35em', 'text-anchor': 'end' }),
      ...(before !== undefined && Number.isFinite(before) ? [bar(before, middle, 16, colour('hairline'))] : []),
      ...(Number.isFinite(value) ? [bar(value, middle, 8, value < 0 ? below : above)] : []),
      text(number, { x: left + SCALE_WIDTH + GAP + numberWidth, y: middle, dy: '0.35em', 'text-anchor': 'end' }),
    ];
  });
  const zero = element('line', { x1: x(0), x2: x(0), y1: TOP - 4, y2: bottom, stroke: colour('muted') });
  return drawing(width, bottom + 8, [text(heading, { x: GAP, y: 16, fill: colour('muted') }), ...rows, zero]);
}
