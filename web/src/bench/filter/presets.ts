// Kernels that image processing knows by name, to put in place of a trained one.

const KERNELS = {
  identity: [0, 0, 0, 0, 1, 0, 0, 0, 0],
  blur: Array<number>(9).fill(1 / 9),
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  outline: [-1, -1, -1, -1, 8, -1, -1, -1, -1],
  vertical: [-1, 0, 1, -1, 0, 1, -1, 0, 1],
  horizontal: [-1, -1, -1, 0, 0, 0, 1, 1, 1],
};
export type Preset = keyof typeof KERNELS;
export const PRESETS = Object.keys(KERNELS) as Preset[];

// Puts the 3 × 3 numbers of a preset into the middle of a larger kernel; null for a smaller one.
export function presetKernel(preset: Preset, rows: number, columns: number): number[] | null {
  if (rows < 3 || columns < 3) return null;
  const [top, left] = [Math.floor((rows - 3) / 2), Math.floor((columns - 3) / 2)];
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns) - top, (i % columns) - left];
    return row >= 0 && row < 3 && column >= 0 && column < 3 ? KERNELS[preset][3 * row + column] : 0;
  });
}
