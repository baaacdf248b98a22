// Pictures as bytes, and their conversion from and to RGBA.
export interface Picture {
  pixels: Uint8Array; // (height, width, channels)
  height: number;
  width: number;
  channels: number;
}

export type Size = [height: number, width: number];

// Converts RGBA bytes to a picture, with transparent pixels on white.
export function fromRgba(data: ArrayLike<number>, height: number, width: number): Picture {
  const pixels = new Uint8Array(3 * height * width);
  for (let i = 0; i < height * width; i++) {
    const alpha = data[4 * i + 3];
    for (let c = 0; c < 3; c++) {
      pixels[3 * i + c] = alpha === 255 ? data[4 * i + c] : Math.round(255 + ((data[4 * i + c] - 255) * alpha) / 255);
    }
  }
  return { pixels, height, width, channels: 3 };
}

// GREYS[g] is the bytes g, g, g, 255 as one number. Drawings are painted at every move of a pen.
const GREYS = new Uint32Array(Uint8Array.from({ length: 4 * 256 }, (_, i) => (i % 4 === 3 ? 255 : i >> 2)).buffer);

// Converts a picture to RGBA bytes for a canvas.
export function toRgba(picture: Picture, data = new Uint8ClampedArray(4 * picture.height * picture.width)) {
  const { pixels, height, width, channels } = picture;
  if (channels === 1) {
    const rgba = new Uint32Array(data.buffer, data.byteOffset, pixels.length);
    for (let i = 0; i < pixels.length; i++) rgba[i] = GREYS[pixels[i]];
    return data;
  }
  // Two channels are grey and alpha, four are colours and alpha.
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = pixels[channels * i + (channels < 3 ? 0 : c)];
    data[4 * i + 3] = channels % 2 === 0 ? pixels[channels * i + channels - 1] : 255;
  }
  return data;
}
