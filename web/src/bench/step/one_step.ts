// One training step on one image: forward pass, loss, backward pass, update and new prediction.
import { backward, type Backward } from '../../analysis/backward';
import type { Engine } from '../../engine/engine';
import { normalizerOf, softmax } from '../../engine/softmax';
import type { Architecture, Optimizer, OptimizerState, Weights } from '../../engine/types';
import { takeStepInParts, type Update } from '../../training/update';

// The network before the step, the image that it learns, and how the optimizer steps.
export interface StepStart {
  architecture: Architecture;
  weights: Weights;
  optimizerState: OptimizerState | null; // null before the first step
  image: Uint8Array;
  label: number;
  optimizer: Optimizer;
  clipNorm?: number;
  learningRate: number;
}

export interface OneStep {
  back: Backward; // the backward pass before the step
  update: Update;
  after: { loss: number; probabilities: Float32Array };
  change: Weights; // weight after the step - weight before, for each trained weight
}

// Takes a step in mode 'prediction', since the backward pass that is shown is computed in this mode too.
export function takeOneStep(engine: Engine, start: StepStart): OneStep {
  const { architecture, weights, image, label, optimizer, clipNorm, learningRate } = start;
  const network = engine.network(architecture, weights);
  const data = engine.trainingData(image, [label]);
  try {
    const back = backward(engine, network, image, label);
    const steps = {
      order: Int32Array.of(0),
      batchSize: 1,
      learningRates: Float32Array.of(learningRate),
      optimizer,
      clipNorm,
    };
    const request = { architecture, weights, optimizer: start.optimizerState, data, steps, watched: image };
    const update = takeStepInParts(engine, { ...request, mode: 'prediction' });
    const probabilities = softmax(update.after.logits, network.numClasses);
    const change: Weights = {};
    for (const name of Object.keys(update.gradients)) {
      const before = weights[name];
      change[name] = update.after.weights[name].map((value, i) => value - before[i]);
    }
    return { back, update, after: { loss: crossEntropy(update.after.logits, label), probabilities }, change };
  } finally {
    data.free();
    network.free();
  }
}

// True if no weight moved along its gradient, which would make the loss larger.
export const isAgainstGradient = ({ change, update }: OneStep): boolean =>
  Object.entries(change).every(([name, moves]) => moves.every((move, i) => move * update.gradients[name][i] <= 0));

// Computes -log softmax(logits)[label] = log Σ exp(logits - largest) + largest - logits[label].
function crossEntropy(logits: Float32Array, label: number): number {
  const { largest, total } = normalizerOf(logits);
  return Math.log(total) + largest - logits[label];
}
