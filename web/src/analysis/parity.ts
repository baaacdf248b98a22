// Compares the page's engine with the one that trained: same images, same weights, another build.
import type { Network } from '../engine/network';
import type { Payload } from '../payload/types';
import { unpackFloats } from '../payload/unpack';
import { largest } from './largest';

export interface Parity {
  count: number;
  difference: number; // largest absolute difference of a logit
  changed: number; // number of images with another prediction
}

// Compares the logits of the first images with those that Python wrote into the payload.
export async function checkParity(
  payload: Payload,
  network: Network,
  images: { pixels: Uint8Array; shape: [number, number, number] },
): Promise<Parity> {
  const { logits } = payload.live.parity;
  const [count, classes] = logits.shape;
  const expected = await unpackFloats(logits);
  const size = images.shape[0] * images.shape[1] * images.shape[2];
  const computed = network.logits(images.pixels.subarray(0, count * size));
  let difference = 0;
  let changed = 0;
  for (let i = 0; i < count; i++) {
    const row = (values: Float32Array) => values.subarray(i * classes, (i + 1) * classes);
    const [here, there] = [row(computed), row(expected)];
    for (let k = 0; k < classes; k++) {
      const gap = Math.abs(here[k] - there[k]);
      difference = gap <= difference ? difference : gap; // NaN counts as the largest
    }
    if (largest(here) !== largest(there)) changed++;
  }
  return { count, difference, changed };
}
