// Palettes for numbers; the one for signed values follows the theme, see theme.svelte.ts.
import { interpolate } from './colour';

// Viridis at nine even steps. Source: Smith and van der Walt 2015, matplotlib.
const VIRIDIS = ['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c', '#28ae80', '#5ec962', '#addc30', '#fde725'];
export type Palette = Uint8ClampedArray; // 256 x RGBA

export const sequential: Palette = interpolate(VIRIDIS);
// Shows images as they are.
export const grey: Palette = interpolate(['#000000', '#ffffff']);

// Paints values from `low` to `high` as pixels; NaN is transparent.
export function paint(
  values: ArrayLike<number>,
  low: number,
  high: number,
  palette: Palette,
  rgba: Uint8ClampedArray,
): void {
  const factor = high > low ? 255 / (high - low) : 0;
  for (let i = 0; i < values.length; i++) {
    const level = 4 * Math.max(0, Math.min(255, Math.round((values[i] - low) * factor)));
    rgba[4 * i] = palette[level];
    rgba[4 * i + 1] = palette[level + 1];
    rgba[4 * i + 2] = palette[level + 2];
    rgba[4 * i + 3] = Number.isNaN(values[i]) ? 0 : 255;
  }
}
