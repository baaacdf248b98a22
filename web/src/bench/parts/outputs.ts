// The shown output of every layer, with its colours. A layer with softmax shows the logits, since the probabilities are shown
// beside it. Where the colours end is measured on the first images of the page, and is the same for every image and epoch.
import { largestMagnitude } from '../../analysis/largest';
import { rangeTo, scaleOf, signedLayers, type Range } from '../../analysis/ranges';
import type { Forward } from '../../engine/network';
import type { LayerRow } from '../../engine/types';
import type { Bench } from '../../state/bench.svelte';

export interface ShownOutput extends Range {
  values: ArrayLike<number>; // (pixels, maps)
  palette: 'sequential' | 'signed'; // signed if values can be negative for some image and weights; after relu they cannot
}

const MAX_IMAGES = 64;
const MULTIPLY_ADDS = 1e8; // of all these images together: some 30 ms

// True for a layer that computes logits and applies softmax itself.
export const showsLogits = ({ layer }: LayerRow): boolean =>
  layer.kind !== 'Activation' && layer.activation === 'softmax';

const valuesOf = (row: LayerRow, { activations, logits }: Forward): Float32Array =>
  showsLogits(row) ? logits : activations[row.index];

export function shownOutputs(bench: Bench): ShownOutput[] {
  const { table } = bench.ablated;
  const signed = signedLayers(bench.model.architecture.input, table);
  const scales = scalesOf(bench);
  return table.map((row, i) => {
    const isSigned = signed[i] || showsLogits(row);
    const palette = isSigned ? 'signed' : 'sequential';
    return { values: valuesOf(row, bench.forward), palette, ...rangeTo(scales[i], isSigned) };
  });
}

let cached = { images: {}, architecture: {}, moment: NaN, scales: [] as number[] };

// Measures where each layer's colours end, once for a model. Values grow while a network trains in the page, so its scales
// are measured again each time it has trained twice as long.
function scalesOf(bench: Bench): number[] {
  const { images, trained, model } = bench;
  const { architecture, table, weights } = model;
  const moment = trained === null ? Infinity : Math.ceil(Math.log2(trained.epoch));
  if (cached.images !== images || cached.architecture !== architecture || cached.moment !== moment) {
    const network = bench.network(model, weights, []);
    const affordable = Math.floor(MULTIPLY_ADDS / table.reduce((sum, row) => sum + row.macs, 1));
    const count = Math.min(images.count, Math.max(4, Math.min(affordable, MAX_IMAGES)));
    const passes = Array.from({ length: count }, (_, i) => network.forward(images.image(i)));
    const scales = table.map((row) => scaleOf(passes.map((pass) => largestMagnitude(valuesOf(row, pass)))));
    cached = { images, architecture, moment, scales };
  }
  return cached.scales;
}
