// A small network in plain loops, whose results a test can compute by hand: one row of pixels, a hidden layer of relu units, and
// logits.
import type { Network } from '../src/engine/network';
import type { LayerRow, Replacement, Weights } from '../src/engine/types';

export interface Dense {
  kernel: number[][]; // [input][unit]
  bias: number[];
}

export class DenseNetwork {
  calls = 0; // how many times logits were computed, once for each ablation
  readonly numClasses: number;
  readonly table: LayerRow[];
  readonly weights: Weights;

  constructor(
    readonly hidden: Dense,
    readonly output: Dense,
  ) {
    const [inputs, units] = [hidden.kernel.length, hidden.bias.length];
    this.numClasses = output.bias.length;
    // The window, the field and the costs are placeholders: no code that is tested with this network reads them.
    const field = { size: [1, inputs], jump: [1, 1], start: [0, 0] } as LayerRow['receptiveField'];
    const row = (index: number, kind: string, name: string, from: number[], to: number): LayerRow => ({
      index,
      layer: { kind, name, activation: name === 'hidden' ? 'relu' : 'linear' },
      inputShape: from,
      outputShape: [to],
      weightShapes: kind === 'Dense' ? { [`${name}/kernel`]: [from[0], to], [`${name}/bias`]: [to] } : {},
      window: null,
      receptiveField: field,
      parameters: 0,
      macs: 0,
    });
    this.table = [
      row(0, 'Flatten', 'flatten', [1, inputs, 1], inputs),
      row(1, 'Dense', 'hidden', [inputs], units),
      row(2, 'Dense', 'output', [units], this.numClasses),
    ];
    this.weights = {
      'hidden/kernel': Float32Array.from(hidden.kernel.flat()),
      'hidden/bias': Float32Array.from(hidden.bias),
      'output/kernel': Float32Array.from(output.kernel.flat()),
      'output/bias': Float32Array.from(output.bias),
    };
  }

  // This object as a `Network`; it has only the methods that the tested code calls.
  get network(): Network {
    return this as unknown as Network;
  }

  units(image: ArrayLike<number>, ablation: Replacement[] = []): number[] {
    const units = apply(this.hidden, image).map((value) => Math.max(0, value));
    for (const replacement of ablation)
      if (replacement.layer === 'hidden') units[replacement.filter] = replacement.value;
    return units;
  }

  logits(images: Uint8Array): Float32Array {
    return this.ablationLogits(images, [[]]);
  }

  ablationLogits(images: Uint8Array, ablations: Replacement[][]): Float32Array {
    this.calls += ablations.length;
    const rows = ablations.flatMap((ablation) =>
      this.split(images).map((image) => apply(this.output, this.units(image, ablation))),
    );
    return Float32Array.from(rows.flat());
  }

  activations(images: Uint8Array): Float32Array[] {
    const all = this.split(images);
    const layers = [all.map((image) => [...image]), all.map((image) => this.units(image))];
    return [...layers, all.map((image) => apply(this.output, this.units(image)))].map((rows) =>
      Float32Array.from(rows.flat()),
    );
  }

  private split(images: Uint8Array): Uint8Array[] {
    const size = this.hidden.kernel.length;
    return Array.from({ length: images.length / size }, (_, i) => images.subarray(i * size, (i + 1) * size));
  }
}

function apply(layer: Dense, input: ArrayLike<number>): number[] {
  return layer.bias.map((bias, unit) => layer.kernel.reduce((sum, weights, i) => sum + input[i] * weights[unit], bias));
}
