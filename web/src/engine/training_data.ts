// Labelled images in the memory of the engine, for any network.
import { call, type Exports } from './memory';

// Frees the images in the engine when the page has dropped their object without `free`.
const dropped = new FinalizationRegistry<() => void>((free) => free());

export class TrainingData {
  readonly count: number;
  readonly imageBytes: number;
  readonly handle: number;
  #labels: Int32Array;
  #largestLabel: number;
  #exports: Exports;
  #isFree = false;

  // Images (N, H, W, C) and N labels from 0.
  constructor(exports: Exports, images: Uint8Array, labels: ArrayLike<number>) {
    const count = labels.length;
    if (count === 0) throw new Error('There are no images to train on.');
    this.#labels = Int32Array.from(labels);
    this.#largestLabel = largestOf(this.#labels);
    if (!Number.isInteger(images.length / count)) {
      throw new Error(`${images.length} bytes are not ${count} images of one size.`);
    }
    this.count = count;
    this.imageBytes = images.length / count;
    this.#exports = exports;
    this.handle = call(exports, (arrays) => {
      const placed = arrays.copyIn(this.#labels);
      const data = exports.data_make(count, this.imageBytes);
      new Uint8Array(exports.memory.buffer, exports.data_images(data), images.length).set(images);
      exports.data_write_labels(data, placed);
      return data;
    });
    const { handle } = this;
    dropped.register(this, () => exports.data_free(handle), this);
  }

  get isFree(): boolean {
    return this.#isFree;
  }

  get labels(): Int32Array {
    return this.#labels.slice();
  }

  get largestLabel(): number {
    return this.#largestLabel;
  }

  // Replaces the labels of all images.
  setLabels(labels: ArrayLike<number>): void {
    this.#checkIsNotFree();
    if (labels.length !== this.count) throw new Error(`There are ${labels.length} labels for ${this.count} images.`);
    const numbers = Int32Array.from(labels);
    this.#largestLabel = largestOf(numbers);
    this.#labels = numbers;
    call(this.#exports, (arrays) => this.#exports.data_write_labels(this.handle, arrays.copyIn(numbers)));
  }

  // Returns copies of images, (n, H, W, C).
  images(indices: ArrayLike<number>): Uint8Array {
    this.#checkIsNotFree();
    const size = this.imageBytes;
    const all = new Uint8Array(this.#exports.memory.buffer, this.#exports.data_images(this.handle), this.count * size);
    const images = new Uint8Array(indices.length * size);
    for (let i = 0; i < indices.length; i++) {
      if (!(indices[i] >= 0 && indices[i] < this.count)) throw new Error(`There is no image ${indices[i]}.`);
      images.set(all.subarray(indices[i] * size, (indices[i] + 1) * size), i * size);
    }
    return images;
  }

  #checkIsNotFree(): void {
    if (this.#isFree) throw new Error('The images to train on have been freed.');
  }

  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    dropped.unregister(this);
    this.#exports.data_free(this.handle);
  }
}

function largestOf(labels: Int32Array): number {
  const [least, largest] = labels.reduce(([low, high], n) => [Math.min(low, n), Math.max(high, n)], [0, 0]);
  if (least < 0) throw new Error(`A label is ${least}; labels must be at least 0.`);
  return largest;
}
