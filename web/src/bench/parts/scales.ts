// The colour scales of a model's layers, from the first images of the page: the same for every image, drawing and epoch.
import { peaksOf, scaleOf, type Scale } from '../../analysis/ranges';
import type { Bench } from '../../state/bench.svelte';
import { showsLogits } from './outputs';

const MAX_IMAGES = 64;
const MULTIPLY_ADDS = 1e8; // of all these images together: some 30 ms

let cached = { images: {}, architecture: {}, moment: NaN, scales: [] as Scale[] };

// Measures the scale of each layer, once for a model. Values grow while a network trains in the page, so its scales are
// measured again each time it has trained twice as long.
export function scalesOf(bench: Bench): Scale[] {
  const { images, trained, model } = bench;
  const { architecture, table, weights } = model;
  const moment = trained === null ? Infinity : Math.ceil(Math.log2(trained.epoch));
  if (cached.images !== images || cached.architecture !== architecture || cached.moment !== moment) {
    const network = bench.network(model, weights, []);
    const affordable = Math.floor(MULTIPLY_ADDS / table.reduce((sum, row) => sum + row.macs, 1));
    const count = Math.min(images.count, Math.max(4, Math.min(affordable, MAX_IMAGES)));
    const passes = Array.from({ length: count }, (_, i) => network.forward(images.image(i)));
    const scales = table.map((row, l) =>
      scaleOf(
        passes.map(({ activations, logits }) =>
          peaksOf(showsLogits(row) ? logits : activations[l], row.outputShape.at(-1)!),
        ),
      ),
    );
    cached = { images, architecture, moment, scales };
  }
  return cached.scales;
}
