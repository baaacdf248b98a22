// Initial weights of a network that is trained in the page.
import { layerTable } from './architecture';
import { product } from './layers';
import type { Architecture, Weights } from './types';

// Weights other than kernels begin as in Keras; alpha as in the paper on PReLU, He and others 2015.
const CONSTANTS: Record<string, number> = {
  bias: 0,
  gamma: 1,
  beta: 0,
  moving_mean: 0,
  moving_variance: 1,
  alpha: 0.25,
};

// Draws kernels uniformly in ±√(6 / (fan in + fan out)), each from its own random stream; other weights are constants.
// Source: Glorot and Bengio 2010, equation 16. A kernel (rows, columns, channels, filters) has the fans
// rows * columns * channels and rows * columns * filters; a dense kernel (inputs, units) has its own two sizes.
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

// Makes a generator of numbers in [0, 1) from the seed and the weight's name: a counter whose bits are mixed. The
// counter's step, 2^32 / golden ratio, spreads its values evenly. The constant in the first line, any number, tells the
// lower half of the seed from the upper: without it, equal halves would cancel in the XOR.
function stream(seed: number, name: string): () => number {
  let state = mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) + 0x51ed270b);
  for (const letter of name) state = mix(state ^ letter.codePointAt(0)!);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 8) / 2 ** 24;
  };
}

// Mixes the bits of a 32-bit number. Source: Appleby, MurmurHash3, its finalizer.
function mix(bits: number): number {
  let z = bits | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}
