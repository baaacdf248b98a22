// Writes numbers as text, the same way in every view.
import { digits, say } from '../../text/say.svelte';

// Writes a share in percent. Rounding never turns a part into 0 or 100 %: 0.9996 is written as above 99.9 %.
export function percent(share: number): string {
  if (share >= 0.9995 && share < 1) return say('parts.percentAbove', { share: digits('99.9') });
  if (share > 0 && share < 0.0005) return say('parts.percentBelow', { share: digits('0.1') });
  return percentText(share, 1);
}

export function percentText(share: number, decimals: number): string {
  return say('parts.percent', { share: digits((100 * share).toFixed(decimals)) });
}

// Writes a probability. One that rounds to 0 or 1 is stated as a limit, because a softmax is never 0 or 1.
export function confidence(probability: number): string {
  return percent(Math.max(1e-9, Math.min(probability, 1 - 1e-9)));
}

// Writes a number with its sign. The minus is as wide as the plus.
export function signedText(value: number, decimals = 2): string {
  const text = Math.abs(value).toFixed(decimals);
  if (Number(text) === 0) return digits(text);
  return (value < 0 ? '−' : '+') + digits(text);
}

// Writes a number with a true minus, and no sign on zero.
export function plainText(value: number, decimals = 3): string {
  const text = value.toFixed(decimals);
  return digits(Number(text) === 0 ? text.replace('-', '') : text);
}

// Writes a subtracted number: in parentheses if negative.
export function subtrahend(value: number, decimals = 3): string {
  const text = plainText(value, decimals);
  return value < 0 && Number(value.toFixed(decimals)) !== 0 ? `(${text})` : text;
}

// Names a layer's channels: maps, or units if they are single numbers.
export function unitName(shape: number[]): 'map' | 'unit' {
  return shape.length === 3 ? 'map' : 'unit';
}
