// A training step in parts: the gradient, and the update by the optimizer, computed on a copy of the network.
import type { Engine } from '../engine/engine';
import type { Network, TrainingData } from '../engine/network';
import type { Architecture, OptimizerState, TrainingSteps, Weights } from '../engine/types';

export interface StepRequest {
  architecture: Architecture;
  weights: Weights;
  optimizer: OptimizerState | null; // the state of the optimizer; null before the first step
  data: TrainingData;
  steps: TrainingSteps; // one batch
  // 'step' as in training; 'prediction' without dropout and augmentation, and with the moving statistics.
  mode?: 'prediction' | 'step';
  watched: Uint8Array; // images (N, H, W, C) whose logits are computed before and after the step
}

export interface NetworkSnapshot {
  weights: Weights; // all weights, with the moving statistics
  optimizer: OptimizerState;
  logits: Float32Array; // (N, K) for the watched images
}

export interface Update {
  loss: number; // mean over the batch before the step, in this mode
  accuracy: number;
  gradients: Weights; // gradient of that loss with respect to each trained weight, before clipping
  gradientNorm: number; // Euclidean norm of all gradients together
  clipFactor: number; // factor of gradient clipping; 1 if nothing is clipped
  learningRate: number;
  before: NetworkSnapshot;
  after: NetworkSnapshot;
}

// Takes one step on a copy of the network. Returns the gradient, and the network before and after the step.
export function takeStepInParts(engine: Engine, request: StepRequest): Update {
  const { architecture, weights, optimizer, data, steps, mode = 'step', watched } = request;
  if (steps.learningRates.length !== 1) throw new Error('One update takes one batch.');
  const network = engine.network(architecture, weights);
  try {
    if (optimizer !== null) network.setOptimizerState(optimizer);
    const before = takeSnapshot(network, watched);
    const { loss, accuracy, weights: gradients } = network.gradients(data, steps, mode);
    if (mode === 'step') network.train(data, steps);
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
      after: takeSnapshot(network, watched),
    };
  } finally {
    network.free();
  }
}

function takeSnapshot(network: Network, watched: Uint8Array): NetworkSnapshot {
  return { weights: network.weights(), optimizer: network.optimizerState(), logits: network.logits(watched) };
}

function normOf(gradients: Weights): number {
  let squares = 0;
  for (const values of Object.values(gradients)) for (const value of values) squares += value * value;
  return Math.sqrt(squares);
}
