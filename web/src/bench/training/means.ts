// Measures the mean output of each filter of a network that was trained in the page, for ablations that set it to the mean.
import type { Work } from '../../analysis/slices';
import { withNetwork } from '../../analysis/with_network';
import { layerTable } from '../../engine/architecture';
import type { Engine } from '../../engine/engine';
import type { Network } from '../../engine/network';
import type { Architecture, LayerRow, Weights } from '../../engine/types';

// The means of a network, with the weights that they belong to.
export interface Measured {
  weights: Weights;
  means: Record<string, Float32Array>;
}

export function* measureMeans(
  engine: Engine,
  architecture: Architecture,
  weights: Weights,
  images: Uint8Array[],
): Work<Measured> {
  const make = () => engine.network(architecture, weights);
  const measure = (network: Network) => meanOutputs(network, layerTable(architecture), images);
  return { weights, means: yield* withNetwork(make, measure) };
}

// Computes for each layer the mean output of each filter, over the images and all pixels of its map.
export function* meanOutputs(
  network: Network,
  table: LayerRow[],
  images: Uint8Array[],
): Work<Record<string, Float32Array>> {
  const sums = table.map((row) => new Float64Array(row.outputShape[row.outputShape.length - 1]));
  for (const [n, image] of images.entries()) {
    const { activations } = network.forward(image);
    for (const i of table.keys()) {
      const values = activations[i]; // (pixels, filters): value k belongs to filter k % numFilters
      const numFilters = sums[i].length;
      for (let k = 0; k < values.length; k++) sums[i][k % numFilters] += (values[k] * numFilters) / values.length;
    }
    yield (n + 1) / images.length;
  }
  return Object.fromEntries(
    table.map((row, i) => [row.layer.name, Float32Array.from(sums[i], (sum) => sum / images.length)]),
  );
}
