// Colours as numbers.

type Rgb = [number, number, number];

export function rgbOf(hex: string): Rgb {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

// Interpolates 256 colours, evenly along these stops.
export function interpolate(stops: string[]): Uint8ClampedArray {
  const colours = stops.map(rgbOf);
  const palette = new Uint8ClampedArray(4 * 256);
  for (let i = 0; i < 256; i++) {
    const position = (i / 255) * (colours.length - 1);
    const left = Math.min(Math.floor(position), colours.length - 2);
    for (let c = 0; c < 3; c++) {
      palette[4 * i + c] = colours[left][c] + (position - left) * (colours[left + 1][c] - colours[left][c]);
    }
    palette[4 * i + 3] = 255;
  }
  return palette;
}
