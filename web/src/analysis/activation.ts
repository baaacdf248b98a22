// Activation functions in double precision, as Keras computes them by default; leaky relu with any slope below zero.
import type { Activation } from '../engine/types';

export const LEAKY_SLOPE = 0.2;

// The share of a standard normal distribution below x. Source: Marsaglia 2004, the Taylor series about 0 of cPhi.
function normalShare(x: number): number {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0; // what is left is less than 1e-15
  let sum = x;
  let term = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= (x * x) / k;
  return 0.5 + sum * Math.exp(-0.5 * x * x) * 0.3989422804014327;
}

// All but softmax, which needs the other numbers too.
export function activate(activation: Exclude<Activation, 'softmax'>, x: number, slope = LEAKY_SLOPE): number {
  switch (activation) {
    case 'linear':
      return x;
    case 'relu':
      return x < 0 ? 0 : x;
    case 'leaky_relu':
      return x > 0 ? x : slope * x;
    case 'relu6':
      return Math.min(Math.max(x, 0), 6);
    case 'elu':
      return x > 0 ? x : Math.expm1(x);
    case 'silu':
      return x / (1 + Math.exp(-x));
    case 'hard_silu':
      return (x * Math.min(Math.max(x + 3, 0), 6)) / 6;
    case 'gelu':
      return x * normalShare(x);
    case 'tanh':
      return Math.tanh(x);
    case 'sigmoid':
      return 1 / (1 + Math.exp(-x));
  }
}
