// Splits the difference of two logits over the inputs of the last layers.
import type { Forward } from '../engine/network';
import { beforeOf, logitsRow } from '../engine/architecture';
import { LAYER_KINDS } from '../engine/layers';
import type { LayerRow, Weights } from '../engine/types';
import { shapeBefore, sourceOf } from './kernel';

export interface Term {
  index: number; // of the unit or the map
  value: number; // its contribution to the difference
}

export interface UnitSplit {
  layer: string; // that the last layer reads
  terms: (Term & { activation: number; weight: number })[]; // largest first, by absolute value
  bias: number;
  total: number; // of the terms and the bias
  maps: MapSplit | null; // where the last layer reads flattened maps
}

export interface MapSplit {
  layer: string;
  rows: number;
  columns: number;
  terms: (Term & { cells: Float32Array })[]; // (rows, columns) that add up to the value; largest first
  total: number; // of the terms
  limit: number; // the largest absolute cell
  exact: boolean; // else a first-order approximation
}

const bySize = (a: Term, b: Term) => Math.abs(b.value) - Math.abs(a.value);

function mapsOf(layer: string, shape: [number, number, number], values: Float64Array, exact: boolean): MapSplit {
  const [rows, columns, channels] = shape;
  const terms = Array.from({ length: channels }, (_, map) => {
    const cells = Float32Array.from({ length: rows * columns }, (_, i) => values[i * channels + map]);
    let value = 0;
    for (let i = map; i < values.length; i += channels) value += values[i];
    return { index: map, value, cells };
  }).sort(bySize);
  const limit = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return { layer, rows, columns, terms, total: terms.reduce((sum, term) => sum + term.value, 0), limit, exact };
}

// The sum over units of activation * (weight to the answer - weight to the rival), with the difference of the biases: exact.
// Null if the layer that computes the logits is not dense.
export function splitOverUnits(
  table: LayerRow[],
  weights: Weights,
  forward: Forward,
  image: Float32Array,
  answer: number,
  rival: number,
): UnitSplit | null {
  const last = logitsRow(table);
  const { name, kind, activation = 'linear' } = last.layer;
  if (kind !== 'Dense' || (activation !== 'softmax' && activation !== 'linear')) return null;
  const kernel = weights[`${name}/kernel`];
  const classes = forward.logits.length;
  const before = beforeOf(table, last.index);
  const read = before < 0 ? image : forward.activations[before];
  const values = new Float64Array(read.length);
  const terms = Array.from(read, (activation, index) => {
    const weight = kernel[index * classes + answer] - kernel[index * classes + rival];
    values[index] = activation * weight;
    return { index, value: values[index], activation, weight };
  }).sort(bySize);
  const biases = weights[`${name}/bias`];
  const bias = biases === undefined ? 0 : biases[answer] - biases[rival];
  const shape = shapeBefore(table, last);
  const flattened = shape[0] * shape[1] > 1;
  const layer = sourceOf(table, last)?.layer.name ?? 'input';
  return {
    layer,
    terms,
    bias,
    total: values.reduce((sum, value) => sum + value, 0) + bias,
    maps: flattened ? mapsOf(layer, shape, values, true) : null,
  };
}

export function lastMapLayer(table: LayerRow[]): LayerRow | null {
  return table.findLast((row) => row.outputShape.length === 3 && row.layer.kind !== 'Dropout') ?? null;
}

// Whether logits are a linear function of a layer's output, up to a constant.
export function isLinearAfter(table: LayerRow[], row: LayerRow): boolean {
  return table.slice(row.index + 1).every(({ index, layer }) => {
    const activation = layer.activation ?? 'linear';
    return (
      LAYER_KINDS[layer.kind].isLinear === true &&
      (activation === 'linear' || (activation === 'softmax' && index === table.length - 1))
    );
  });
}

// Gradient * activation, summed by map. Exact up to a constant if all later layers are linear, else of first order.
export function splitOverMaps(
  table: LayerRow[],
  row: LayerRow,
  activation: Float32Array,
  gradient: Float32Array,
): MapSplit {
  const values = Float64Array.from(activation, (value, i) => value * gradient[i]);
  const [rows, columns, channels] = row.outputShape;
  return mapsOf(row.layer.name, [rows, columns, channels], values, isLinearAfter(table, row));
}
