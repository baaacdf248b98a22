// Copies weights into the engine and out of it. The engine stores two arrays of a layer as a pair: kernel and bias, gamma and
// beta, moving means and variances. The slopes of a PReLU are a pair without a bias.
import { NON_TRAINABLE_WEIGHTS, product } from './layers';
import type { Arrays } from './memory';
import type { LayerRow, OptimizerState, Shape, Weights } from './types';

interface WeightPair {
  layer: number;
  names: [string, string | undefined]; // undefined if there is no bias; the engine then has zeros
  sizes: [number, number];
}

// True for a name such as conv2d/kernel, false for batch_normalization/moving_mean.
const isTrained = (name: string) => !NON_TRAINABLE_WEIGHTS.includes(name.slice(name.indexOf('/') + 1));

// Lists the trained pairs of all layers, or the moving statistics. `weightShapes` names the first of a pair first.
function pairsOf(table: LayerRow[], isMoving: boolean): WeightPair[] {
  return table.flatMap((row) => {
    const [kernel, bias] = Object.keys(row.weightShapes).filter((name) => isTrained(name) !== isMoving);
    if (kernel === undefined) return [];
    return [
      { layer: row.index, names: [kernel, bias], sizes: [product(row.weightShapes[kernel]), row.outputShape.at(-1)!] },
    ];
  });
}

const trainedPairs = (table: LayerRow[]) => pairsOf(table, false);
const movingPairs = (table: LayerRow[]) => pairsOf(table, true);

export function readWeights(arrays: Arrays, network: number, table: LayerRow[]): Weights {
  const { exports } = arrays;
  const weights: Weights = {};
  const read = (pairs: WeightPair[], isMoving: boolean) => {
    for (const { layer, names, sizes } of pairs) {
      const [kernel, bias] = sizes.map((size) => arrays.allocate(4 * size));
      if (isMoving) exports.network_read_moving(network, layer, kernel, bias, sizes[1]);
      else exports.network_read(network, layer, kernel, bias);
      weights[names[0]] = arrays.floats(kernel, sizes[0]);
      if (names[1] !== undefined) weights[names[1]] = arrays.floats(bias, sizes[1]);
    }
  };
  read(trainedPairs(table), false);
  read(movingPairs(table), true);
  // In the order of the table: kernel and bias, gamma, beta and the moving statistics of each layer.
  const names = table.flatMap((row) => Object.keys(row.weightShapes));
  return Object.fromEntries(names.map((name) => [name, weights[name]]));
}

// Writes weights that `checkWeights` accepts.
export function writeWeights(arrays: Arrays, network: number, table: LayerRow[], weights: Weights): void {
  const { exports } = arrays;
  const copyIn = ({ names, sizes }: WeightPair) => [
    arrays.copyIn(weights[names[0]]),
    arrays.copyIn(names[1] === undefined ? new Float32Array(sizes[1]) : weights[names[1]]),
  ];
  for (const pair of trainedPairs(table)) {
    const [kernel, bias] = copyIn(pair);
    exports.network_write(network, pair.layer, kernel, bias);
  }
  for (const pair of movingPairs(table)) {
    const [means, variances] = copyIn(pair);
    exports.network_write_moving(network, pair.layer, means, variances, pair.sizes[1]);
  }
}

// Counts the numbers of a gradient as the engine writes it: pair after pair, with zeros for missing biases.
export function trainedSize(table: LayerRow[]): number {
  return trainedPairs(table).reduce((sum, { sizes }) => sum + sizes[0] + sizes[1], 0);
}

// Splits a gradient in that order into an array for each weight.
export function splitTrained(table: LayerRow[], numbers: Float32Array): Weights {
  const weights: Weights = {};
  let offset = 0;
  for (const { names, sizes } of trainedPairs(table)) {
    sizes.forEach((size, i) => {
      const name = names[i];
      if (name !== undefined) weights[name] = numbers.slice(offset, offset + size);
      offset += size;
    });
  }
  return weights;
}

// Reads m and v of each pair; the engine writes them as m of kernel and bias, then v of both.
export function readMoments(arrays: Arrays, network: number, table: LayerRow[]): Pick<OptimizerState, 'm' | 'v'> {
  const [m, v]: [Weights, Weights] = [{}, {}];
  for (const { layer, names, sizes } of trainedPairs(table)) {
    const pointers = [...sizes, ...sizes].map((size) => arrays.allocate(4 * size));
    arrays.exports.network_read_moments(network, layer, pointers[0], pointers[1], pointers[2], pointers[3]);
    names.forEach((name, i) => {
      if (name === undefined) return;
      m[name] = arrays.floats(pointers[i], sizes[i]);
      v[name] = arrays.floats(pointers[2 + i], sizes[i]);
    });
  }
  return { m, v };
}

// Writes the moments of an optimizer that `checkTrained` accepts.
export function writeMoments(arrays: Arrays, network: number, table: LayerRow[], { m, v }: OptimizerState): void {
  for (const { layer, names, sizes } of trainedPairs(table)) {
    const pointers = [m, v].flatMap((moments) =>
      names.map((name, i) => arrays.copyIn(name === undefined ? new Float32Array(sizes[i]) : moments[name])),
    );
    arrays.exports.network_write_moments(network, layer, pointers[0], pointers[1], pointers[2], pointers[3]);
  }
}

const shapesOf = (table: LayerRow[]) => table.flatMap(({ weightShapes }) => Object.entries(weightShapes));

export function checkWeights(table: LayerRow[], weights: Weights): void {
  checkArrays(shapesOf(table), weights, '');
}

// Checks arrays for the trained weights only; `what` names them in errors.
export function checkTrained(table: LayerRow[], weights: Weights, what: string): void {
  checkArrays(
    shapesOf(table).filter(([name]) => isTrained(name)),
    weights,
    ` of ${what}`,
  );
}

function checkArrays(shapes: [string, Shape][], weights: Weights, what: string): void {
  for (const [name, shape] of shapes) {
    if (weights[name] === undefined) throw new Error(`The weights ${name}${what} are missing.`);
    if (weights[name].length !== product(shape)) {
      const needed = shape.join(' × ');
      throw new Error(`${name}${what} has ${weights[name].length} numbers; the architecture needs ${needed}.`);
    }
  }
}
