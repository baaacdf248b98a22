// The way back through a network for one image: how the loss would change with every number between the image and it.
import type { Engine } from '../engine/engine';
import type { Network } from '../engine/network';
import { softmax } from '../engine/softmax';
import type { Weights } from '../engine/types';

export interface Backward {
  loss: number; // cross-entropy of the image's label, in nats
  logits: Float32Array;
  probabilities: Float32Array;
  target: Float32Array; // (K,): what the label says of each class; a one and zeros without smoothing
  dlogits: Float32Array; // the gradient of the loss by the logits, (probabilities - target) * the class's weight
  layers: Record<string, Float32Array>; // the gradient by each layer's output, a softmax left out; "input" is the image as the network reads it
  weights: Weights; // the gradient by each trained weight, in Keras layout
}

// The network is as it is when it predicts: nothing is dropped, and a batch normalisation uses its moving statistics.
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
    return {
      loss,
      logits,
      probabilities,
      target,
      dlogits,
      layers: network.layerGradients(image, dlogits, names),
      weights,
    };
  } finally {
    data.free();
  }
}
