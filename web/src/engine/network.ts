// An architecture with weights in the engine. Images are bytes (N, H, W, C); all that is returned is a copy.
import { layerTable, rowNamed } from './architecture';
import { product } from './layers';
import { call, type Arrays, type Exports } from './memory';
import { plainInput, plainLayers, plainSettings } from './plain';
import type { TrainingData } from './training_data';
import type { Architecture, LayerRow, Replacement, TrainingScore, TrainingSteps, Weights } from './types';
import { checkWeights, readWeights, writeWeights } from './weights';
import { softmax } from './softmax';

export type { TrainingData } from './training_data';

// All that one image does to a network.
export interface Forward {
  activations: Float32Array[]; // by layer, in the table's order
  logits: Float32Array;
  probabilities: Float32Array;
}

const unused = new FinalizationRegistry<() => void>((free) => free());

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
        arrays.place(plainInput(exports, architecture)),
        arrays.place(plainLayers(exports, this.table)),
        this.table.length,
      ),
    );
    this.#handle = handle;
    unused.register(this, () => exports.network_free(handle), this);
    this.setWeights(weights);
  }

  // (N, K)
  logits(images: Uint8Array): Float32Array {
    const count = this.#count(images);
    return this.#call((arrays) => {
      const logits = arrays.room(4 * count * this.numClasses);
      this.#exports.network_logits(this.#handle, arrays.place(images), count, logits);
      return arrays.floats(logits, count * this.numClasses);
    });
  }

  // What each layer gives, in the table's order, each (N, output); the last one's softmax is applied.
  activations(images: Uint8Array, lesion: Replacement[] = []): Float32Array[] {
    const outputs = this.#outputs(images, lesion);
    const last = this.table.length - 1;
    if (this.table[last].layer.activation === 'softmax') outputs[last] = softmax(outputs[last], this.numClasses);
    return outputs;
  }

  // All of it for one image.
  forward(image: Uint8Array, lesion: Replacement[] = []): Forward {
    if (image.length !== this.#imageBytes)
      throw new Error(`An image has ${this.#imageBytes} bytes here, not ${image.length}.`);
    const activations = this.#outputs(image, lesion);
    const last = this.table.length - 1;
    const logits = activations[last];
    const probabilities = softmax(logits, this.numClasses);
    if (this.table[last].layer.activation === 'softmax') activations[last] = probabilities;
    return { activations, logits, probabilities };
  }

  // (L, N, K): the logits with each of L lesions; what a lesion leaves as it was is computed once.
  lesionedLogits(images: Uint8Array, lesions: Replacement[][]): Float32Array {
    const count = this.#count(images);
    let made = 0;
    const ends = Int32Array.from(lesions, (lesion) => (made += lesion.length));
    const size = lesions.length * count * this.numClasses;
    return this.#call((arrays) => {
      const logits = arrays.room(4 * size);
      const [layers, filters, values] = this.#placeReplacements(arrays, lesions.flat());
      const placed = arrays.place(images);
      const placedEnds = arrays.place(ends);
      this.#exports.network_lesioned_logits(
        this.#handle,
        placed,
        count,
        placedEnds,
        lesions.length,
        layers,
        filters,
        values,
        logits,
      );
      return arrays.floats(logits, size);
    });
  }

  // For each image the gradient of the sum over k of dlogits[n, k] * logits[n, k] by each layer's output, (N, output), a
  // softmax left out. "input" is the image as the network reads it.
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
      const gradients = arrays.room(4 * sizes.reduce((sum, size) => sum + size, 0));
      const placed = arrays.place(images);
      const weights = arrays.place(dlogits);
      const wanted = arrays.place(Int32Array.from(indices));
      this.#exports.network_layer_gradients(this.#handle, placed, count, weights, wanted, layers.length, gradients);
      const parts = split(arrays, gradients, sizes);
      return Object.fromEntries(layers.map((name, i) => [name, parts[i]]));
    });
  }

  weights(): Weights {
    return this.#call((arrays) => readWeights(arrays, this.#handle, this.table));
  }

  // What the optimizer remembers stays; `resetOptimizer` clears it.
  setWeights(weights: Weights): void {
    checkWeights(this.table, weights);
    this.#call((arrays) => writeWeights(arrays, this.#handle, this.table, weights));
  }

  // Takes a step for each batch of the order; the loss and the accuracy are those just before each image's step.
  train(data: TrainingData, steps: TrainingSteps): TrainingScore {
    this.#checkSteps(data, steps);
    return this.#call((arrays) => {
      const score = arrays.room(3 * 8);
      const order = arrays.place(steps.order);
      const rates = arrays.place(steps.learningRates);
      const settings = arrays.place(plainSettings(this.#exports, steps));
      const { order: images, batchSize, first = 0 } = steps;
      const [network, count] = [this.#handle, images.length];
      this.#exports.network_train(network, data.handle, order, count, first, batchSize, rates, settings, score);
      const [seen, loss, correct] = arrays.doubles(score, 3);
      return { images: seen, loss: loss / seen, accuracy: correct / seen };
    });
  }

  // As if no step had been taken; the weights stay.
  resetOptimizer(): void {
    this.#call(() => this.#exports.network_reset_optimizer(this.#handle));
  }

  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    unused.unregister(this);
    this.#exports.network_free(this.#handle);
  }

  #call<Result>(work: (arrays: Arrays) => Result): Result {
    if (this.#isFree) throw new Error('This network has been freed.');
    return call(this.#exports, work);
  }

  #outputs(images: Uint8Array, lesion: Replacement[]): Float32Array[] {
    const count = this.#count(images);
    const sizes = this.table.map((row) => count * product(row.outputShape));
    return this.#call((arrays) => {
      const outputs = arrays.room(4 * sizes.reduce((sum, size) => sum + size, 0));
      const [layers, filters, values] = this.#placeReplacements(arrays, lesion);
      const placed = arrays.place(images);
      this.#exports.network_outputs(this.#handle, placed, count, layers, filters, values, lesion.length, outputs);
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
      arrays.place(Int32Array.from(indices)),
      arrays.place(Int32Array.from(replacements, (one) => one.filter)),
      arrays.place(Float32Array.from(replacements, (one) => one.value)),
    ];
  }

  #checkSteps(data: TrainingData, { order, batchSize, learningRates, key = 0, first = 0 }: TrainingSteps): void {
    if (data.isFree) throw new Error('The images to train on have been freed.');
    if (data.imageBytes !== this.#imageBytes) {
      throw new Error(`The images have ${data.imageBytes} bytes each; this network reads ${this.#imageBytes}.`);
    }
    if (data.largestLabel >= this.numClasses) {
      throw new Error(`A label is ${data.largestLabel}; this network has ${this.numClasses} classes, from 0.`);
    }
    if (order.length === 0 || order.some((i) => i < 0 || i >= data.count)) {
      throw new Error(`The order must list images from 0 to ${data.count - 1}.`);
    }
    if (!Number.isInteger(batchSize) || batchSize < 1) throw new Error(`A batch cannot have ${batchSize} images.`);
    const batches = Math.ceil(order.length / batchSize);
    if (learningRates.length !== batches) {
      throw new Error(`There are ${learningRates.length} learning rates; it must be ${batches}, one for each batch.`);
    }
    for (const number of [key, first]) {
      if (!Number.isSafeInteger(number) || number < 0)
        throw new Error(`${number} is not a whole number of at least 0.`);
    }
  }
}

function split(arrays: Arrays, pointer: number, sizes: number[]): Float32Array[] {
  let at = pointer;
  return sizes.map((size) => {
    const part = arrays.floats(at, size);
    at += 4 * size;
    return part;
  });
}
