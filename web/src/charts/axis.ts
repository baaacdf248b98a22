// An axis of d3 for an attachment of Svelte.
import type { Axis } from 'd3-axis';
import type { NumberValue } from 'd3-scale';
import { select } from 'd3-selection';
import './axis.css';

export function axis(drawn: Axis<NumberValue>, ticks: number[], format: (value: number) => string, size: number) {
  const padding = 8 - size;
  drawn.tickValues(ticks).tickSize(size).tickPadding(padding);
  drawn.tickFormat((tick) => format(Number(tick)));
  return (g: SVGGElement) => void select(g).call(drawn);
}
