// A network in the engine. Images are bytes (N, H, W, C); results are copies.
import { layerTable, rowNamed } from './architecture';
import { product } from './layers';
import { call, type Arrays, type Exports } from './memory';
import { encodeInput, encodeLayers, encodeSettings } from './encoding';
import type { TrainingData } from './training_data';
import { checkBatch, checkSteps } from './checks';
import type {
  Architecture,
  Batch,
  Gradients,
  LayerRow,
  OptimizerState,
  Replacement,
  TrainingScore,
  TrainingSteps,
  Weights,
} from './types';
import {
  checkTrained,
  checkWeights,
  readMoments,
  readWeights,
  splitTrained,
  trainedSize,
  writeMoments,
  writeWeights,
} from './weights';
import { softmax } from './softmax';

export type { TrainingData } from './training_data';

// The forward pass of one image.
export interface Forward {
  activations: Float32Array[]; // by layer, in the table's order
  logits: Float32Array;
  probabilities: Float32Array;
}

// Frees a network in the engine when the page has dropped its object without `free`.
const dropped = new FinalizationRegistry<() => void>((free) => free());

export class Network {
  readonly architecture: Architecture;
  readonly table: LayerRow[];
  readonly numClasses: number;
  #exports: Exports;
  #handle: number;
  #imageBytes: number;
  #isFree = false;

  constructor(exports: Exports, architecture: Architecture, weights: Weights) {
    this.architecture = architecture;
    this.table = layerTable(architecture);
    this.numClasses = this.table[this.table.length - 1].outputShape[0];
    const { height, width, channels } = architecture.input;
    this.#imageBytes = height * width * channels;
    this.#exports = exports;
    checkWeights(this.table, weights);
    const handle = call(exports, (arrays) =>
      exports.network_make(
        arrays.copyIn(encodeInput(exports, architecture)),
        arrays.copyIn(encodeLayers(exports, this.table)),
        this.table.length,
      ),
    );
    this.#handle = handle;
    dropped.register(this, () => exports.network_free(handle), this);
    this.setWeights(weights);
  }

  // Computes logits (N, K).
  logits(images: Uint8Array): Float32Array {
    const count = this.#count(images);
    return this.#call((arrays) => {
      const logits = arrays.allocate(4 * count * this.numClasses);
      this.#exports.network_logits(this.#handle, arrays.copyIn(images), count, logits);
      return arrays.floats(logits, count * this.numClasses);
    });
  }

  // Computes the output of each layer in the order of the table, (N, output), with the softmax of the last layer.
  activations(images: Uint8Array, ablation: Replacement[] = []): Float32Array[] {
    const outputs = this.#outputs(images, ablation);
    const last = this.table.length - 1;
    if (this.table[last].layer.activation === 'softmax') outputs[last] = softmax(outputs[last], this.numClasses);
    return outputs;
  }

  // Computes the outputs of one image, with its logits and probabilities.
  forward(image: Uint8Array, ablation: Replacement[] = []): Forward {
    if (image.length !== this.#imageBytes)
      throw new Error(`An image has ${this.#imageBytes} bytes here, not ${image.length}.`);
    const activations = this.#outputs(image, ablation);
    const last = this.table.length - 1;
    const logits = activations[last];
    const probabilities = softmax(logits, this.numClasses);
    if (this.table[last].layer.activation === 'softmax') activations[last] = probabilities;
    return { activations, logits, probabilities };
  }

  // Computes logits (L, N, K) with each of L ablations. Layers that no ablation changes are computed once.
  ablationLogits(images: Uint8Array, ablations: Replacement[][]): Float32Array {
    const count = this.#count(images);
    // All replacements are passed as one list; ablation i ends before index ends[i]. a b | c has the ends 2 and 3.
    let end = 0;
    const ends = Int32Array.from(ablations, (ablation) => (end += ablation.length));
    const size = ablations.length * count * this.numClasses;
    return this.#call((arrays) => {
      const logits = arrays.allocate(4 * size);
      const replacements = this.#placeReplacements(arrays, ablations.flat());
      const [placed, placedEnds] = [arrays.copyIn(images), arrays.copyIn(ends)];
      const { network_ablation_logits: compute } = this.#exports;
      compute(this.#handle, placed, count, placedEnds, ablations.length, ...replacements, logits);
      return arrays.floats(logits, size);
    });
  }

  // Computes the gradients of sum_k dlogits[n, k] * logits[n, k] with respect to the outputs of layers, (N, output), before
  // the softmax. Layer "input" is the scaled image.
  layerGradients(images: Uint8Array, dlogits: Float32Array, layers: string[]): Record<string, Float32Array> {
    const count = this.#count(images);
    if (dlogits.length !== count * this.numClasses) {
      throw new Error(
        `dlogits has ${dlogits.length} numbers; it needs ${count * this.numClasses}, one for each logit.`,
      );
    }
    const indices = layers.map((name) => (name === 'input' ? -1 : rowNamed(this.table, name).index));
    const sizes = indices.map((i) => count * (i < 0 ? this.#imageBytes : product(this.table[i].outputShape)));
    return this.#call((arrays) => {
      const gradients = arrays.allocate(4 * sizes.reduce((sum, size) => sum + size, 0));
      const placed = arrays.copyIn(images);
      const weights = arrays.copyIn(dlogits);
      const chosen = arrays.copyIn(Int32Array.from(indices));
      this.#exports.network_layer_gradients(this.#handle, placed, count, weights, chosen, layers.length, gradients);
      const parts = split(arrays, gradients, sizes);
      return Object.fromEntries(layers.map((name, i) => [name, parts[i]]));
    });
  }

  weights(): Weights {
    return this.#call((arrays) => readWeights(arrays, this.#handle, this.table));
  }

  // Sets the weights and keeps the state of the optimizer; `resetOptimizer` clears it.
  setWeights(weights: Weights): void {
    checkWeights(this.table, weights);
    this.#call((arrays) => writeWeights(arrays, this.#handle, this.table, weights));
  }

  // Takes an optimizer step for each batch. Loss and accuracy are measured on each batch just before its step.
  train(data: TrainingData, steps: TrainingSteps): TrainingScore {
    checkBatch(data, steps, this.#imageBytes, this.numClasses);
    checkSteps(steps);
    return this.#call((arrays) => {
      const score = arrays.allocate(3 * 8); // see readScore
      const order = arrays.copyIn(steps.order);
      const rates = arrays.copyIn(steps.learningRates);
      const settings = arrays.copyIn(encodeSettings(arrays, steps));
      const [network, count, first, size] = [this.#handle, steps.order.length, steps.first ?? 0, steps.batchSize];
      this.#exports.network_train(network, data.handle, order, count, first, size, rates, settings, score);
      return readScore(arrays, score);
    });
  }

  // Computes the mean loss of a batch and its gradient with respect to every trained weight, in Keras layout.
  // 'prediction': without dropout and augmentation, and with the moving statistics of batch normalisation.
  // 'step': as in the step that `train` would take with this batch, before clipping.
  gradients(data: TrainingData, batch: Batch, mode: 'prediction' | 'step' = 'prediction'): Gradients {
    checkBatch(data, batch, this.#imageBytes, this.numClasses);
    const size = trainedSize(this.table);
    return this.#call((arrays) => {
      const score = arrays.allocate(3 * 8);
      const gradients = arrays.allocate(4 * size);
      const order = arrays.copyIn(batch.order);
      const settings = arrays.copyIn(encodeSettings(arrays, batch));
      const [network, count, first] = [this.#handle, batch.order.length, batch.first ?? 0];
      const isStep = Number(mode === 'step');
      this.#exports.network_gradients(network, data.handle, order, count, first, isStep, settings, score, gradients);
      return { ...readScore(arrays, score), weights: splitTrained(this.table, arrays.floats(gradients, size)) };
    });
  }

  // Takes one optimizer step by the gradients of a batch in mode 'prediction'. Moving statistics do not change.
  trainAsPredicting(data: TrainingData, steps: TrainingSteps): TrainingScore {
    checkBatch(data, steps, this.#imageBytes, this.numClasses);
    checkSteps({ ...steps, batchSize: steps.order.length });
    return this.#call((arrays) => {
      const score = arrays.allocate(3 * 8);
      const order = arrays.copyIn(steps.order);
      const settings = arrays.copyIn(encodeSettings(arrays, steps));
      const [network, count, [rate]] = [this.#handle, steps.order.length, steps.learningRates];
      this.#exports.network_prediction_step(network, data.handle, order, count, rate, settings, score);
      return readScore(arrays, score);
    });
  }

  optimizerState(): OptimizerState {
    return this.#call((arrays) => ({
      steps: this.#exports.network_steps(this.#handle),
      ...readMoments(arrays, this.#handle, this.table),
    }));
  }

  setOptimizerState(state: OptimizerState): void {
    if (!Number.isSafeInteger(state.steps) || state.steps < 0) {
      throw new Error(`${state.steps} is not a number of steps.`);
    }
    checkTrained(this.table, state.m, 'm');
    checkTrained(this.table, state.v, 'v');
    this.#call((arrays) => {
      writeMoments(arrays, this.#handle, this.table, state);
      this.#exports.network_set_steps(this.#handle, state.steps);
    });
  }

  // Resets the optimizer to step 0 and keeps the weights.
  resetOptimizer(): void {
    this.#call(() => this.#exports.network_reset_optimizer(this.#handle));
  }

  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    dropped.unregister(this);
    this.#exports.network_free(this.#handle);
  }

  #call<Result>(work: (arrays: Arrays) => Result): Result {
    if (this.#isFree) throw new Error('This network has been freed.');
    return call(this.#exports, work);
  }

  #outputs(images: Uint8Array, ablation: Replacement[]): Float32Array[] {
    const count = this.#count(images);
    const sizes = this.table.map((row) => count * product(row.outputShape));
    return this.#call((arrays) => {
      const outputs = arrays.allocate(4 * sizes.reduce((sum, size) => sum + size, 0));
      const [layers, filters, values] = this.#placeReplacements(arrays, ablation);
      const placed = arrays.copyIn(images);
      this.#exports.network_outputs(this.#handle, placed, count, layers, filters, values, ablation.length, outputs);
      return split(arrays, outputs, sizes);
    });
  }

  #count(images: Uint8Array): number {
    const count = images.length / this.#imageBytes;
    if (!Number.isInteger(count)) {
      throw new Error(`${images.length} bytes are not a whole number of images of ${this.#imageBytes} bytes.`);
    }
    return count;
  }

  // Copies replacements into the engine's memory: pointers to their layers, filters and values.
  #placeReplacements(arrays: Arrays, replacements: Replacement[]): [number, number, number] {
    const indices = replacements.map(({ layer, filter, value }) => {
      const row = rowNamed(this.table, layer);
      const filters = row.outputShape.at(-1)!;
      if (!Number.isInteger(filter) || filter < 0 || filter >= filters) {
        throw new Error(`${layer} has no filter ${filter}; it has 0 to ${filters - 1}.`);
      }
      if (!Number.isFinite(Math.fround(value))) throw new Error(`Filter ${filter} of ${layer} cannot give ${value}.`);
      return row.index;
    });
    return [
      arrays.copyIn(Int32Array.from(indices)),
      arrays.copyIn(Int32Array.from(replacements, (item) => item.filter)),
      arrays.copyIn(Float32Array.from(replacements, (item) => item.value)),
    ];
  }
}

// Reads a score from the engine's memory: the number of images, the sum of losses and the number of correct predictions.
function readScore(arrays: Arrays, pointer: number): TrainingScore {
  const [images, loss, correct] = arrays.doubles(pointer, 3);
  return { images, loss: loss / images, accuracy: correct / images };
}

// Copies arrays of these sizes out of the engine's memory, where they lie one after the other.
function split(arrays: Arrays, pointer: number, sizes: number[]): Float32Array[] {
  let next = pointer;
  return sizes.map((size) => {
    const part = arrays.floats(next, size);
    next += 4 * size;
    return part;
  });
}
