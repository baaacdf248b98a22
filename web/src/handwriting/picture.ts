// Pictures as bytes, and how they are resized. The arithmetic is that of src/convscope/handwriting/prepare.py: sums of whole
// numbers, which float64 holds exactly, and values rounded as floor(x + 0.5).

export interface Picture {
  pixels: Uint8Array; // (height, width, channels)
  height: number;
  width: number;
  channels: number;
}

export type Size = [height: number, width: number];

// The picture in the colours of RGBA bytes; what is transparent lies on white.
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

// The same as RGBA bytes, as a canvas takes them.
export function toRgba(picture: Picture, data = new Uint8ClampedArray(4 * picture.height * picture.width)) {
  const { pixels, height, width, channels } = picture;
  const colours = channels < 3 ? 1 : 3;
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = pixels[channels * i + (colours === 3 ? c : 0)];
    data[4 * i + 3] = channels % 2 === 0 ? pixels[channels * i + channels - 1] : 255;
  }
  return data;
}

// The largest size of the same aspect within the given one.
export function fitted(height: number, width: number, mostHeight: number, mostWidth: number): Size {
  if (height * mostWidth >= width * mostHeight) {
    return [mostHeight, Math.max(1, Math.floor((width * mostHeight) / height + 0.5))];
  }
  return [Math.max(1, Math.floor((height * mostWidth) / width + 0.5)), mostWidth];
}

// Resizes by exact area averaging: a pixel is the mean of what lies under it, parts by their share.
export function average(picture: Picture, height: number, width: number): Picture {
  if (picture.height === height && picture.width === width) return picture;
  const { channels } = picture;
  const rows = windowSums(picture.pixels, 1, picture.height, picture.width * channels, height);
  const sums = windowSums(rows, height, picture.width, channels, width);
  const pixels = new Uint8Array(sums.length);
  const area = picture.height * picture.width;
  for (let i = 0; i < sums.length; i++) pixels[i] = Math.floor(sums[i] / area + 0.5);
  return { pixels, height, width, channels };
}

// Of values (outer, length, inner): `size` sums over equal stretches of `length`, in units in which a value is `size` wide.
function windowSums(values: ArrayLike<number>, outer: number, length: number, inner: number, size: number) {
  const sums = new Float64Array(outer * size * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < size; i++) {
      const start = i * length;
      const stop = start + length;
      const into = (o * size + i) * inner;
      for (let at = Math.floor(start / size); at * size < stop; at++) {
        const weight = Math.min(stop, (at + 1) * size) - Math.max(start, at * size);
        const from = (o * length + at) * inner;
        for (let k = 0; k < inner; k++) sums[into + k] += weight * values[from + k];
      }
    }
  }
  return sums;
}

// The picture, its longer side `largest` at most.
export function reduced(picture: Picture, largest: number): Picture {
  if (Math.max(picture.height, picture.width) <= largest) return picture;
  return average(picture, ...fitted(picture.height, picture.width, largest, largest));
}

// The picture in grey (1) or in colours (3).
export function inColours(picture: Picture, colours: number): Picture {
  const { pixels, height, width, channels } = picture;
  if (channels === colours) return picture;
  const changed = new Uint8Array(height * width * colours);
  for (let i = 0; i < height * width; i++) {
    if (colours === 3) {
      changed.fill(pixels[i], 3 * i, 3 * i + 3);
    } else {
      // luma of ITU-R BT.601
      const sum = 299 * pixels[3 * i] + 587 * pixels[3 * i + 1] + 114 * pixels[3 * i + 2];
      changed[i] = Math.floor((sum + 500) / 1000);
    }
  }
  return { pixels: changed, height, width, channels: colours };
}

// The part from `top` and `left` to `bottom` and `right`, which are outside of it.
export function cut(picture: Picture, top: number, bottom: number, left: number, right: number): Picture {
  const { channels } = picture;
  const [height, width] = [bottom - top, right - left];
  const pixels = new Uint8Array(height * width * channels);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * picture.width + left) * channels;
    pixels.set(picture.pixels.subarray(from, from + width * channels), row * width * channels);
  }
  return { pixels, height, width, channels };
}

// The border's values, channel by channel.
export function border(picture: Picture): Uint8Array[] {
  const { pixels, height, width, channels } = picture;
  return Array.from({ length: channels }, (_, c) => {
    const values: number[] = [];
    for (let row = 0; row < height; row++) {
      const step = row === 0 || row === height - 1 ? 1 : Math.max(1, width - 1);
      for (let column = 0; column < width; column += step) values.push(pixels[(row * width + column) * channels + c]);
    }
    return Uint8Array.from(values);
  });
}

// The middle value, the lower of the two if there are two.
export function median(values: Uint8Array): number {
  return values.slice().sort()[(values.length - 1) >> 1];
}
