// Reads one map of a layer as the lens shows it: its values, and the range and palette of its colours, as in the flow.
import { mapOf, rangeTo, signedLayers, type Range, type Scale } from '../../analysis/ranges';
import { sizesOf } from '../../analysis/receptive';
import type { LayerRow } from '../../engine/types';
import type { Bench, Scaling } from '../../state/bench.svelte';
import { shownOutputs, type ShownOutput } from '../parts/outputs';
import { scalesOf } from '../parts/scales';

export interface MapView extends Range {
  values: Float32Array; // (rows, columns)
  rows: number;
  columns: number;
  palette: 'sequential' | 'signed' | 'grey';
}

// What the flow shows, from which the lens reads.
export interface Shown {
  table: LayerRow[];
  outputs: ShownOutput[]; // by layer
  pixels: Uint8Array; // (H, W, C)
  scales: Scale[]; // by layer
  scaling: Scaling;
  brightest: number; // the largest absolute value of a pixel that the network reads
}

export function shownOn(bench: Bench): Shown {
  const { table } = bench.ablated;
  const { input } = bench.model.architecture;
  return {
    table,
    outputs: shownOutputs(table, signedLayers(input, table), bench.forward),
    pixels: bench.pixels,
    scales: scalesOf(bench),
    scaling: bench.scaling,
    brightest: Math.max(Math.abs(input.offset), Math.abs(255 * input.scale + input.offset)),
  };
}

export function viewOf({ table, outputs, pixels, scales, scaling }: Shown, layer: string, map: number): MapView {
  const row = table.find((row) => row.layer.name === layer);
  if (row === undefined) {
    const [rows, columns, channels] = sizesOf(table[0].inputShape);
    return { values: mapOf(pixels, channels, map), rows, columns, low: 0, high: 255, palette: 'grey' };
  }
  const { values, signed } = outputs[row.index];
  const [rows, columns, maps] = sizesOf(row.outputShape);
  const scale = scales[row.index];
  const high = scaling === 'map' && row.outputShape.length === 3 ? scale.maps[map] : scale.layer;
  return {
    values: mapOf(values, maps, map),
    rows,
    columns,
    ...rangeTo(high, signed),
    palette: signed ? 'signed' : 'sequential',
  };
}
