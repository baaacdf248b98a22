// A network's weights on their way into the engine and out of it. It keeps two arrays of a layer together: a kernel and its
// bias, the gamma and the beta of a normalisation, and its moving means and variances.
import { product } from './layers';
import type { Arrays } from './memory';
import type { LayerRow, Weights } from './types';

interface Pair {
  layer: number;
  names: [string, string | undefined]; // a layer without a bias has none, and the engine zeros
  sizes: [number, number];
}

function pair(row: LayerRow, first: string, second: string): Pair {
  const [one, other] = [`${row.layer.name}/${first}`, `${row.layer.name}/${second}`];
  const sizes: [number, number] = [product(row.weightShapes[one]), row.outputShape.at(-1)!];
  return { layer: row.index, names: [one, other in row.weightShapes ? other : undefined], sizes };
}

function trainedPairs(table: LayerRow[]): Pair[] {
  return table.flatMap((row) => {
    if (row.layer.kind === 'BatchNormalization') return [pair(row, 'gamma', 'beta')];
    return `${row.layer.name}/kernel` in row.weightShapes ? [pair(row, 'kernel', 'bias')] : [];
  });
}

function movingPairs(table: LayerRow[]): Pair[] {
  return table
    .filter((row) => row.layer.kind === 'BatchNormalization')
    .map((row) => pair(row, 'moving_mean', 'moving_variance'));
}

export function readWeights(arrays: Arrays, network: number, table: LayerRow[]): Weights {
  const { exports } = arrays;
  const found: Weights = {};
  const read = (all: Pair[], isMoving: boolean) => {
    for (const { layer, names, sizes } of all) {
      const [one, other] = sizes.map((size) => arrays.room(4 * size));
      if (isMoving) exports.network_read_moving(network, layer, one, other, sizes[1]);
      else exports.network_read(network, layer, one, other);
      found[names[0]] = arrays.floats(one, sizes[0]);
      if (names[1] !== undefined) found[names[1]] = arrays.floats(other, sizes[1]);
    }
  };
  read(trainedPairs(table), false);
  read(movingPairs(table), true);
  const names = table.flatMap((row) => Object.keys(row.weightShapes));
  return Object.fromEntries(names.map((name) => [name, found[name]]));
}

// Takes weights that `checkWeights` has checked.
export function writeWeights(arrays: Arrays, network: number, table: LayerRow[], weights: Weights): void {
  const { exports } = arrays;
  const place = ({ names, sizes }: Pair) => [
    arrays.place(weights[names[0]]),
    arrays.place(names[1] === undefined ? new Float32Array(sizes[1]) : weights[names[1]]),
  ];
  for (const one of trainedPairs(table)) {
    const [kernel, bias] = place(one);
    exports.network_write(network, one.layer, kernel, bias);
  }
  for (const one of movingPairs(table)) {
    const [means, variances] = place(one);
    exports.network_write_moving(network, one.layer, means, variances, one.sizes[1]);
  }
}

export function checkWeights(table: LayerRow[], weights: Weights): void {
  for (const { weightShapes } of table) {
    for (const [name, shape] of Object.entries(weightShapes)) {
      if (weights[name] === undefined) throw new Error(`The weights ${name} are missing.`);
      if (weights[name].length !== product(shape)) {
        throw new Error(`${name} has ${weights[name].length} numbers; the architecture needs ${shape.join(' × ')}.`);
      }
    }
  }
}
