// Colours for numbers: one even sequence for activations, and one centred at zero for signed values.
import { interpolate } from './colour';

// Viridis at nine even steps. Source: Smith and van der Walt 2015, matplotlib.
const VIRIDIS = ['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c', '#28ae80', '#5ec962', '#addc30', '#fde725'];
// Blue below zero, orange above, told apart in deuteranopia; the middle is the ground of the page.
const BELOW = { dark: '#6fb7ff', light: '#0a5fb0' };
const ABOVE = { dark: '#ffa14f', light: '#c2570a' };

export type Theme = 'dark' | 'light';
export type Palette = Uint8ClampedArray; // 256 x RGBA

export const sequential: Palette = interpolate(VIRIDIS);
// For images, as they are.
export const grey: Palette = interpolate(['#000000', '#ffffff']);

export function signed(theme: Theme, ground: string): Palette {
  return interpolate([BELOW[theme], ground, ABOVE[theme]]);
}

// Paints values from `low` to `high` as pixels; what is not a number is clear.
export function paint(
  values: ArrayLike<number>,
  low: number,
  high: number,
  palette: Palette,
  into: Uint8ClampedArray,
): void {
  const factor = high > low ? 255 / (high - low) : 0;
  for (let i = 0; i < values.length; i++) {
    const at = 4 * Math.max(0, Math.min(255, Math.round((values[i] - low) * factor)));
    into[4 * i] = palette[at];
    into[4 * i + 1] = palette[at + 1];
    into[4 * i + 2] = palette[at + 2];
    into[4 * i + 3] = Number.isNaN(values[i]) ? 0 : 255;
  }
}
