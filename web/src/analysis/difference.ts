// Splits the difference of two logits over the inputs of the last layers.
import type { Forward } from '../engine/network';
import { beforeOf, logitsRow } from '../engine/architecture';
import { LAYER_KINDS } from '../engine/layers';
import type { LayerRow, Weights } from '../engine/types';
import { shapeBefore, sourceOf } from './kernel';

export interface Term {
  index: number; // the unit or the map
  value: number; // its contribution to the difference
}

export interface UnitSplit {
  layer: string; // the layer that the last layer reads
  terms: (Term & { activation: number; weight: number })[]; // largest absolute values first
  bias: number;
  total: number; // the sum of the terms and the bias
  maps: MapSplit | null; // null unless the last layer reads flattened maps
}

export interface MapSplit {
  layer: string;
  rows: number;
  columns: number;
  terms: (Term & { cells: Float32Array })[]; // cells (rows, columns) add up to the value; largest first
  total: number; // the sum of the terms
  limit: number; // the largest absolute value of a cell
  exact: boolean; // false for a first-order approximation
}

const byMagnitude = (a: Term, b: Term) => Math.abs(b.value) - Math.abs(a.value);

// Adds up contributions (rows, columns, channels) map by map.
function splitByMap(layer: string, shape: [number, number, number], values: Float64Array, exact: boolean): MapSplit {
  const [rows, columns, channels] = shape;
  const terms = Array.from({ length: channels }, (_, map) => {
    const cells = Float32Array.from({ length: rows * columns }, (_, i) => values[i * channels + map]);
    let value = 0;
    for (let i = map; i < values.length; i += channels) value += values[i];
    return { index: map, value, cells };
  }).sort(byMagnitude);
  const limit = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return { layer, rows, columns, terms, total: terms.reduce((sum, term) => sum + term.value, 0), limit, exact };
}

// Splits a logit difference exactly over the units that a dense last layer reads, and its bias:
// Σ over units of activation * (weight to prediction - weight to rival) + bias of prediction - bias of rival.
// Null if the layer that computes the logits is not dense.
export function splitOverUnits(
  table: LayerRow[],
  weights: Weights,
  forward: Forward,
  image: Float32Array, // scaled; the network may be a single layer, which reads it
  prediction: number,
  rival: number,
): UnitSplit | null {
  const last = logitsRow(table);
  const { name, kind, activation = 'linear' } = last.layer;
  if (kind !== 'Dense' || (activation !== 'softmax' && activation !== 'linear')) return null;
  const kernel = weights[`${name}/kernel`];
  const classes = forward.logits.length;
  const before = beforeOf(table, last.index);
  const read = before < 0 ? image : forward.activations[before];
  const terms = Array.from(read, (activation, index) => {
    const weight = kernel[index * classes + prediction] - kernel[index * classes + rival];
    return { index, value: activation * weight, activation, weight };
  });
  const values = Float64Array.from(terms, (term) => term.value); // in the order of the units
  const biases = weights[`${name}/bias`];
  const bias = biases === undefined ? 0 : biases[prediction] - biases[rival];
  const shape = shapeBefore(table, last);
  const flattened = shape[0] * shape[1] > 1;
  const layer = sourceOf(table, last)?.layer.name ?? 'input';
  return {
    layer,
    terms: terms.sort(byMagnitude),
    bias,
    total: values.reduce((sum, value) => sum + value, 0) + bias,
    maps: flattened ? splitByMap(layer, shape, values, true) : null,
  };
}

// Finds the last layer that puts out maps; a Dropout repeats the layer before it.
export function lastMapLayer(table: LayerRow[]): LayerRow | null {
  return table.findLast((row) => row.outputShape.length === 3 && row.layer.kind !== 'Dropout') ?? null;
}

// True if the logits are a linear function of a layer's output, up to a constant.
export function isLinearAfter(table: LayerRow[], row: LayerRow): boolean {
  return table.slice(row.index + 1).every(({ index, layer }) => {
    const activation = layer.activation ?? 'linear';
    return (
      LAYER_KINDS[layer.kind].isLinear === true &&
      (activation === 'linear' || (activation === 'softmax' && index === table.length - 1))
    );
  });
}

// Splits a logit difference over the maps of a layer: the sum of gradient * activation in each map. Exact, but for a
// constant that the later biases add, if all later layers are linear; else a first-order approximation.
export function splitOverMaps(
  table: LayerRow[],
  row: LayerRow,
  activation: Float32Array,
  gradient: Float32Array,
): MapSplit {
  const values = Float64Array.from(activation, (value, i) => value * gradient[i]);
  const [rows, columns, channels] = row.outputShape;
  return splitByMap(row.layer.name, [rows, columns, channels], values, isLinearAfter(table, row));
}
