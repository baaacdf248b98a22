// Labelled images in the engine's memory, where any network trains on them.
import { call, type Exports } from './memory';

const unused = new FinalizationRegistry<() => void>((free) => free());

export class TrainingData {
  readonly count: number;
  readonly imageBytes: number;
  readonly largestLabel: number;
  readonly handle: number;
  #exports: Exports;
  #isFree = false;

  // Images (N, H, W, C) and as many labels, from 0.
  constructor(exports: Exports, images: Uint8Array, labels: ArrayLike<number>) {
    const count = labels.length;
    if (count === 0) throw new Error('There are no images to train on.');
    const numbers = Int32Array.from(labels);
    const [least, largest] = numbers.reduce(([low, high], n) => [Math.min(low, n), Math.max(high, n)], [0, 0]);
    if (least < 0) throw new Error(`A label is ${least}; labels must be at least 0.`);
    if (!Number.isInteger(images.length / count)) {
      throw new Error(`${images.length} bytes are not ${count} images of one size.`);
    }
    this.count = count;
    this.imageBytes = images.length / count;
    this.largestLabel = largest;
    this.#exports = exports;
    this.handle = call(exports, (arrays) => {
      const placed = arrays.place(numbers);
      const data = exports.data_make(count, this.imageBytes);
      new Uint8Array(exports.memory.buffer, exports.data_images(data), images.length).set(images);
      exports.data_write_labels(data, placed);
      return data;
    });
    const { handle } = this;
    unused.register(this, () => exports.data_free(handle), this);
  }

  get isFree(): boolean {
    return this.#isFree;
  }

  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    unused.unregister(this);
    this.#exports.data_free(this.handle);
  }
}
