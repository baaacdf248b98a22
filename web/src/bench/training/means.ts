// Measures the mean output of each filter of a network that was trained in the page, for ablations that set it to the mean.
import type { Work } from '../../analysis/slices';
import type { Network } from '../../engine/network';
import type { LayerRow } from '../../engine/types';

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
      const values = activations[i];
      const count = sums[i].length;
      for (let k = 0; k < values.length; k++) sums[i][k % count] += (values[k] * count) / values.length;
    }
    yield (n + 1) / images.length;
  }
  return Object.fromEntries(
    table.map((row, i) => [row.layer.name, Float32Array.from(sums[i], (sum) => sum / images.length)]),
  );
}
