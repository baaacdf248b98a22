// Makes a Svelte attachment that draws an axis of d3 with these ticks, each `size` px long.
import type { Axis } from 'd3-axis';
import type { NumberValue } from 'd3-scale';
import { select } from 'd3-selection';
import './axis.css';

export function attachAxis(axis: Axis<NumberValue>, ticks: number[], format: (value: number) => string, size: number) {
  const padding = 8 - size; // labels are 8 px from the axis, whatever the size of the ticks
  axis.tickValues(ticks).tickSize(size).tickPadding(padding);
  axis.tickFormat((tick) => format(Number(tick)));
  return (g: SVGGElement) => void select(g).call(axis);
}
