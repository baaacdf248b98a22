// The activation functions in double precision, with the default arguments of Keras.
import type en from 'catalogues/en.json';

interface ActivationRow {
  compute: (x: number, slope: number) => number; // only leaky relu uses `slope`
  formula?: string; // shown for a function that the catalogues neither name nor explain; so far they explain all
}

export const LEAKY_SLOPE = 0.2; // Keras's default slope of leaky relu below zero

// Computes the distribution function Φ of the standard normal, Φ(x) = 1/2 + φ(x) (x + x³/3 + x⁵/(3·5) + ...), with its density
// φ(x) = exp(-x²/2) / √(2π). Source: Marsaglia 2004, cPhi.
function normalCdf(x: number): number {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0; // exact to 1e-15
  let [sum, term] = [x, x];
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + sum * Math.exp(-0.5 * x * x) * 0.3989422804014327; // times 1 / √(2π)
}

const ROWS = {
  linear: { compute: (x) => x },
  relu: { compute: (x) => (x < 0 ? 0 : x) },
  relu6: { compute: (x) => Math.min(Math.max(x, 0), 6) },
  leaky_relu: { compute: (x, slope) => (x > 0 ? x : slope * x) },
  elu: { compute: (x) => (x > 0 ? x : Math.expm1(x)) },
  selu: { compute: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)) },
  gelu: { compute: (x) => x * normalCdf(x) },
  silu: { compute: (x) => x / (1 + Math.exp(-x)) },
  hard_silu: { compute: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6 },
  tanh: { compute: Math.tanh },
  sigmoid: { compute: (x) => 1 / (1 + Math.exp(-x)) },
  hard_sigmoid: { compute: (x) => Math.min(Math.max(x + 3, 0), 6) / 6 },
  softmax: { compute: (x) => x }, // softmax.ts computes it, since it needs all logits
} satisfies Record<string, ActivationRow>;

export type Activation = keyof typeof ROWS;
export const ACTIVATIONS: Record<Activation, ActivationRow> = ROWS;

// Looks up the glossary term of an activation function; null if its formula explains it.
export function termOf(activation: Activation): keyof typeof en.terms | null {
  return ACTIVATIONS[activation].formula === undefined
    ? (activation.replaceAll('_', ' ') as keyof typeof en.terms)
    : null;
}
