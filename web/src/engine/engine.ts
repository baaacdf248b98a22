// The native engine as WebAssembly. It works in a window, in a worker and in Node.
import { call, EngineError, type Exports } from './memory';
import { Network } from './network';
import { encodeSettings } from './encoding';
import { TrainingData } from './training_data';
import type { Architecture, Augmentation, Shape, Weights } from './types';

export class Engine {
  readonly bytes: Uint8Array; // of the module, to start another one in a worker

  constructor(
    readonly exports: Exports,
    bytes: Uint8Array,
  ) {
    this.bytes = bytes;
  }

  // Throws an ArchitectureError if the layers are not a valid network.
  network(architecture: Architecture, weights: Weights): Network {
    return new Network(this.exports, architecture, weights);
  }

  trainingData(images: Uint8Array, labels: ArrayLike<number>): TrainingData {
    return new TrainingData(this.exports, images, labels);
  }

  // Augments an image (H, W, C) as at positions `first`, `first` + 1, ... of the epoch with this key: (copies, H, W, C).
  augmented(
    image: Uint8Array,
    [height, width, channels]: Shape,
    augmentation: Augmentation,
    { copies, key, first = 0 }: { copies: number; key: number; first?: number },
  ): Uint8Array {
    const size = height * width * channels;
    if (image.length !== size) throw new Error(`An image has ${size} bytes here, not ${image.length}.`);
    for (const number of [copies, key, first]) {
      if (!Number.isSafeInteger(number) || number < 0)
        throw new Error(`${number} is not a whole number of at least 0.`);
    }
    return call(this.exports, (arrays) => {
      const settings = arrays.place(encodeSettings(arrays, { augmentation, key }));
      const [placed, room] = [arrays.place(image), arrays.room(copies * size)];
      this.exports.augment(placed, height, width, channels, settings, first, copies, room);
      return arrays.bytes(room, copies * size);
    });
  }
}

export async function loadEngine(bytes: Uint8Array): Promise<Engine> {
  try {
    const { instance } = await WebAssembly.instantiate(bytes as Uint8Array<ArrayBuffer>, {});
    const exports = instance.exports as unknown as Exports;
    exports._initialize();
    return new Engine(exports, bytes);
  } catch (error) {
    throw new EngineError('refused.engine.start', {}, { cause: error });
  }
}
