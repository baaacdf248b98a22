// The backward pass of one image: the gradients of its loss with respect to all outputs and weights.
import type { Engine } from '../engine/engine';
import type { Network } from '../engine/network';
import { softmax } from '../engine/softmax';
import type { Weights } from '../engine/types';

export interface Backward {
  loss: number; // cross-entropy of the image's label, in nats
  logits: Float32Array;
  probabilities: Float32Array;
  target: Float32Array; // (K,) target probabilities, one-hot without label smoothing
  dlogits: Float32Array; // the gradient with respect to the logits: (probabilities - target) * class weight
  layers: Record<string, Float32Array>; // the same with respect to each layer's output before its softmax; "input" is the image
  weights: Weights; // the gradient with respect to each trained weight, in Keras layout
}

// Computes a backward pass as in prediction: without dropout, with the moving statistics of batch normalisation.
export function backward(
  engine: Engine,
  network: Network,
  image: Uint8Array,
  label: number,
  { labelSmoothing = 0, classWeights }: { labelSmoothing?: number; classWeights?: ArrayLike<number> } = {},
): Backward {
  const data = engine.trainingData(image, [label]);
  try {
    const { loss, weights } = network.gradients(data, { order: Int32Array.of(0), labelSmoothing, classWeights });
    const logits = network.logits(image);
    const probabilities = softmax(logits, network.numClasses);
    const target = new Float32Array(network.numClasses).fill(labelSmoothing / network.numClasses);
    target[label] += 1 - labelSmoothing;
    const weight = classWeights?.[label] ?? 1;
    const dlogits = probabilities.map((p, k) => (p - target[k]) * weight);
    const names = ['input', ...network.table.map((row) => row.layer.name)];
    const layers = network.layerGradients(image, dlogits, names);
    return { loss, logits, probabilities, target, dlogits, layers, weights };
  } finally {
    data.free();
  }
}
