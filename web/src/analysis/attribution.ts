// Attributions of a logit difference to the input, by three methods: maps that say how much each pixel contributes. None of
// them shows a cause.
import type { Network } from '../engine/network';
import type { Input, LayerRow } from '../engine/types';
import { inPieces, type Work } from './slices';

// Converts bytes to the numbers that the network reads.
export function normalize(pixels: Uint8Array, input: Input): Float32Array {
  return Float32Array.from(pixels, (byte) => byte * input.scale + input.offset);
}

// Makes the logit weights of a difference: 1 for the prediction, -1 for the rival.
export function differenceWeights(classes: number, prediction: number, rival: number): Float32Array {
  const weights = new Float32Array(classes);
  weights[prediction] += 1;
  weights[rival] -= 1;
  return weights;
}

// Computes gradient * (input - background), (H, W): the contribution of each pixel if the network were linear. The
// gradient is with respect to the scaled input, byte * scale + offset, and the offset cancels in the difference.
export function gradientTimesInput(
  gradient: Float32Array,
  pixels: Uint8Array,
  input: Input,
  background: number,
): Float32Array {
  const { channels, scale } = input;
  const map = new Float32Array(pixels.length / channels);
  for (let i = 0; i < pixels.length; i++) {
    map[Math.floor(i / channels)] += gradient[i] * (pixels[i] - background) * scale;
  }
  return map;
}

// Sums the maps, each weighted with its mean gradient, and cuts the sum at zero: (rows, columns).
// Source: Selvaraju and others 2017.
export function gradCam(row: LayerRow, activation: Float32Array, gradient: Float32Array): Float32Array {
  const [rows, columns, channels] = row.outputShape;
  const weights = new Float64Array(channels);
  for (let i = 0; i < gradient.length; i++) weights[i % channels] += gradient[i] / (rows * columns);
  const map = new Float32Array(rows * columns);
  for (let i = 0; i < activation.length; i++) map[Math.floor(i / channels)] += weights[i % channels] * activation[i];
  return map.map((value) => Math.max(0, value));
}

// Resizes a layer's map to the image, bilinearly: each cell stands at the centre of its receptive field. If the first field
// covers pixels 0 to 4 and the next 2 to 6, the cells stand at pixels 2 and 4, and pixel 3 takes half of each.
export function overImage(map: Float32Array, row: LayerRow, height: number, width: number): Float32Array {
  const [rows, columns] = row.outputShape;
  const { size, jump, start } = row.receptiveField;
  // The two cells of an axis between which a pixel lies, and the weight of the second.
  const cellsAround = (pixel: number, axis: number, count: number): [number, number, number] => {
    const centreOfFirst = start[axis] + (size[axis] - 1) / 2;
    const position = Math.min(count - 1, Math.max(0, (pixel - centreOfFirst) / Math.max(1, jump[axis])));
    const low = Math.floor(position);
    return [low, Math.min(count - 1, low + 1), position - low];
  };
  const result = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const [top, bottom, bottomWeight] = cellsAround(y, 0, rows);
    for (let x = 0; x < width; x++) {
      const [left, right, rightWeight] = cellsAround(x, 1, columns);
      const mix = (r: number) => map[r * columns + left] * (1 - rightWeight) + map[r * columns + right] * rightWeight;
      result[y * width + x] = mix(top) * (1 - bottomWeight) + mix(bottom) * bottomWeight;
    }
  }
  return result;
}

// A square that occlusion covers, and the distance from one of its positions to the next.
export interface Patch {
  side: number;
  stride: number;
}

// Chooses the patch for images of this size: a seventh of the shorter side. Patches overlap by half.
export function patchFor(height: number, width: number): Patch {
  const side = Math.max(1, Math.round(Math.min(height, width) / 7));
  return { side, stride: Math.max(1, Math.floor(side / 2)) };
}

function patchStarts(length: number, { side, stride }: Patch): number[] {
  const starts: number[] = [];
  for (let start = 0; start + side < length; start += stride) starts.push(start);
  starts.push(Math.max(0, length - side)); // the last patch ends where the image ends
  return starts;
}

// Lists the pixels that the patch covers at each of its positions in the image.
function pixelsOfPatches(height: number, width: number, patch: Patch): number[][] {
  const corners = patchStarts(height, patch).flatMap((top) => patchStarts(width, patch).map((left) => [top, left]));
  return corners.map(([top, left]) => {
    const pixels: number[] = [];
    for (let y = top; y < Math.min(height, top + patch.side); y++) {
      for (let x = left; x < Math.min(width, left + patch.side); x++) pixels.push(y * width + x);
    }
    return pixels;
  });
}

// Computes how far the difference falls when a patch is set to the background: for each pixel the mean over its patches.
// Source: Zeiler and Fergus 2014.
export function* occlusion(
  network: Network,
  pixels: Uint8Array,
  shape: [number, number, number],
  patch: Patch,
  background: number,
  weights: Float32Array,
): Work<Float32Array> {
  const [height, width, channels] = shape;
  const patches = pixelsOfPatches(height, width, patch);
  const intact = weigh(network.logits(pixels), 0, weights);
  const sums = new Float64Array(height * width);
  const counts = new Float64Array(height * width);
  yield* inPieces(patches.length, (from, to) => {
    const images = new Uint8Array((to - from) * pixels.length);
    for (let i = from; i < to; i++) {
      const image = images.subarray((i - from) * pixels.length, (i - from + 1) * pixels.length);
      image.set(pixels);
      for (const pixel of patches[i]) image.fill(background, pixel * channels, (pixel + 1) * channels);
    }
    const logits = network.logits(images);
    for (let i = from; i < to; i++) {
      const fall = intact - weigh(logits, (i - from) * weights.length, weights);
      for (const pixel of patches[i]) {
        sums[pixel] += fall;
        counts[pixel]++;
      }
    }
  });
  return Float32Array.from(sums, (sum, i) => (counts[i] > 0 ? sum / counts[i] : 0));
}

// Computes the weighted sum of the logits of an image, which begin at `offset`.
export function weigh(logits: Float32Array, offset: number, weights: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += weights[k] * logits[offset + k];
  return sum;
}
