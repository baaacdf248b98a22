// A training step in parts: the gradient, and the update by the optimizer. The engine computes it on
// a copy of the network.
import type { Engine } from '../engine/engine';
import type { Network, TrainingData } from '../engine/network';
import type { Architecture, OptimizerState, TrainingSteps, Weights } from '../engine/types';

export interface StepQuestion {
  architecture: Architecture;
  weights: Weights;
  optimizer: OptimizerState | null; // its state; null before the first step
  data: TrainingData;
  steps: TrainingSteps; // one batch
  // As in training, or by the gradients of the network as it predicts: nothing dropped or augmented, moving statistics used.
  seen?: 'prediction' | 'step';
  watched: Uint8Array; // images (N, H, W, C), apart from the batch, whose logits are given before and after the step
}

export interface Moment {
  weights: Weights; // all of them, the moving statistics too
  optimizer: OptimizerState;
  logits: Float32Array; // (N, K), of the watched images
}

export interface Update {
  loss: number; // mean over the batch before the step, as the batch was seen
  accuracy: number;
  gradients: Weights; // of that loss, by each trained weight, before clipping
  gradientNorm: number; // Euclidean, of all gradients together
  clipFactor: number; // the factor of gradient clipping; 1 without
  learningRate: number;
  before: Moment;
  after: Moment;
}

export function oneUpdate(engine: Engine, question: StepQuestion): Update {
  const { architecture, weights, optimizer, data, steps, seen = 'step', watched } = question;
  if (steps.learningRates.length !== 1) throw new Error('One update takes one batch.');
  const network = engine.network(architecture, weights);
  try {
    if (optimizer !== null) network.setOptimizerState(optimizer);
    const before = momentOf(network, watched);
    const { loss, accuracy, weights: gradients } = network.gradients(data, steps, seen);
    if (seen === 'step') network.train(data, steps);
    else network.trainAsPredicting(data, steps);
    const gradientNorm = normOf(gradients);
    const { clipNorm, learningRates } = steps;
    return {
      loss,
      accuracy,
      gradients,
      gradientNorm,
      clipFactor: clipNorm && gradientNorm > clipNorm ? clipNorm / gradientNorm : 1,
      learningRate: learningRates[0],
      before,
      after: momentOf(network, watched),
    };
  } finally {
    network.free();
  }
}

function momentOf(network: Network, watched: Uint8Array): Moment {
  return { weights: network.weights(), optimizer: network.optimizerState(), logits: network.logits(watched) };
}

function normOf(gradients: Weights): number {
  let squares = 0;
  for (const values of Object.values(gradients)) for (const value of values) squares += value * value;
  return Math.sqrt(squares);
}
