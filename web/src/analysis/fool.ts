// Finds a small change of an image that gives another prediction, and predicts images between two images.
import type { Network } from '../engine/network';
import { softmax } from '../engine/softmax';
import { largest } from './largest';
import type { Work } from './slices';

const MAX_STEPS = 60;
const OVERSHOOT = 1.02; // a step goes a little beyond the boundary where the two logits are equal; the source's eta of 0.02
const MARGIN = 1e-3; // of a logit, so that a step also leaves the boundary itself

export interface ImageChange {
  change: Float32Array; // added to each byte of the image, not rounded, (H, W, C)
  succeeded: boolean; // the network predicts the wanted class for the changed image
}

// Finds a small change after which the network predicts `wanted`. Each step goes to the nearest point where the linearized
// network would; pixels stay in [0, 255]. Source: Moosavi-Dezfooli, Fawzi and Frossard 2016, DeepFool, algorithm 1.
export function* smallestChange(network: Network, image: Uint8Array, wanted: number): Work<ImageChange> {
  const { scale } = network.architecture.input;
  const change = new Float32Array(image.length);
  const K = network.numClasses;
  for (let steps = 0; ; steps++) {
    const changed = applyChange(image, change, 1);
    const logits = network.logits(changed);
    const prediction = largest(logits);
    if (prediction === wanted) return { change: shortenChange(network, image, change, wanted), succeeded: true };
    if (steps === MAX_STEPS) return { change, succeeded: false };
    const dlogits = new Float32Array(K);
    dlogits[wanted] = 1;
    dlogits[prediction] = -1;
    const { input } = network.layerGradients(changed, dlogits, ['input']);
    // A pixel at 0 or 255 cannot move further, so the others take its share of the step.
    const gradient = input.map((value, i) => (isAtLimit(changed[i], value * scale) ? 0 : value * scale));
    // The step is distance * gradient, since (logit difference) / |gradient|² * gradient is the shortest way to the boundary.
    const squares = gradient.reduce((sum, value) => sum + value * value, 0);
    if (squares === 0) return { change, succeeded: false };
    const distance = (OVERSHOOT * (logits[prediction] - logits[wanted]) + MARGIN) / squares;
    for (let i = 0; i < change.length; i++) {
      change[i] = Math.max(-image[i], Math.min(255 - image[i], change[i] + distance * gradient[i]));
    }
    yield (steps + 1) / MAX_STEPS;
  }
}

const HALVINGS = 8; // so the share is exact to 1/256

// Shortens a change that went too far: bisects for the smallest share of it that still gives the wanted prediction.
function shortenChange(network: Network, image: Uint8Array, change: Float32Array, wanted: number): Float32Array {
  let [low, high] = [0, 1];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (largest(network.logits(applyChange(image, change, middle))) === wanted) high = middle;
    else low = middle;
  }
  return change.map((value) => high * value);
}

const isAtLimit = (byte: number, direction: number) => (byte === 0 && direction < 0) || (byte === 255 && direction > 0);

// Adds a share of the change to the image, rounded to bytes.
export function applyChange(image: Uint8Array, change: Float32Array, share: number): Uint8Array {
  return Uint8Array.from(image, (byte, i) => Math.max(0, Math.min(255, Math.round(byte + share * change[i]))));
}

// Interpolates between two images, pixel by pixel.
export function interpolate(from: Uint8Array, to: Uint8Array, share: number): Uint8Array {
  return Uint8Array.from(from, (byte, i) => Math.round(byte + share * (to[i] - byte)));
}

// What the network makes of the images on the way from one to another.
export interface Along {
  shares: number[]; // how far each image is on the way
  probabilities: Float32Array[]; // (K,) at each share
  predictions: number[]; // class at each share
}

// Predicts the image at each share of the way.
export function* predictAlong(network: Network, imageAt: (share: number) => Uint8Array, shares: number[]): Work<Along> {
  const probabilities: Float32Array[] = [];
  for (const share of shares) {
    probabilities.push(softmax(network.logits(imageAt(share)), network.numClasses));
    yield probabilities.length / shares.length;
  }
  return { shares, probabilities, predictions: probabilities.map((values) => largest(values)) };
}

export interface Size {
  mean: number; // mean absolute change of a byte
  largest: number;
}

// Measures how much two images differ.
export function sizeOf(from: Uint8Array, to: Uint8Array): Size {
  let [sum, largest] = [0, 0];
  for (let i = 0; i < from.length; i++) {
    const size = Math.abs(to[i] - from[i]);
    sum += size;
    largest = Math.max(largest, size);
  }
  return { mean: sum / from.length, largest };
}
