// Draws the outline of the ink as an SVG path. Where ink meets background, h1 is the upper edge of pixel (y, x) and v1
// its left edge. A pixel is ink if it is more than halfway from the background to the farthest value.
export function outlineOf(pixels: Uint8Array, height: number, width: number, background: number): string {
  const largest = pixels.reduce((far, byte) => Math.max(far, Math.abs(byte - background)), 0);
  const isInk = (y: number, x: number): boolean =>
    y >= 0 && x >= 0 && y < height && x < width && Math.abs(pixels[y * width + x] - background) > largest / 2;
  let path = '';
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      if (isInk(y, x) !== isInk(y - 1, x)) path += `M${x} ${y}h1`;
      if (isInk(y, x) !== isInk(y, x - 1)) path += `M${x} ${y}v1`;
    }
  }
  return path;
}
