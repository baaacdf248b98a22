// Initial weights.
import { layerTable } from './architecture';
import { product } from './layers';
import type { Architecture, Weights } from './types';

const CONSTANTS: Record<string, number> = {
  bias: 0,
  gamma: 1,
  beta: 0,
  moving_mean: 0,
  moving_variance: 1,
  alpha: 0.25,
};

// Draws Glorot-uniform kernels, each from its own random stream; other weights are constants.
// Source: Glorot and Bengio 2010, equation 16; a convolution's fans count the kernel's positions.
export function initialWeights(architecture: Architecture, seed: number): Weights {
  const weights: Weights = {};
  for (const row of layerTable(architecture)) {
    for (const [name, shape] of Object.entries(row.weightShapes)) {
      const values = (weights[name] = new Float32Array(product(shape)));
      const kind = name.slice(row.layer.name.length + 1);
      if (kind !== 'kernel') {
        values.fill(CONSTANTS[kind]);
        continue;
      }
      const limit = Math.sqrt(6 / (product(shape.slice(0, -2)) * (shape.at(-2)! + shape.at(-1)!)));
      const random = stream(seed, name);
      for (let i = 0; i < values.length; i++) values[i] = limit * (2 * random() - 1);
    }
  }
  return weights;
}

// Uniform numbers in [0, 1) that follow from the seed and the name: a counter whose bits are mixed.
function stream(seed: number, name: string): () => number {
  let state = mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) + 0x51ed270b);
  for (const letter of name) state = mix(state ^ letter.codePointAt(0)!);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 8) / 2 ** 24;
  };
}

// Source: Appleby, MurmurHash3, the finalizer of 32 bits.
function mix(bits: number): number {
  let z = bits | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}
