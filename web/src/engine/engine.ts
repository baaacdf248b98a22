// The native engine as WebAssembly, which computes and trains networks. It works in a window, in a worker and in Node.
import { call, EngineError, type Exports } from './memory';
import { Network } from './network';
import { encodeSettings } from './encoding';
import { TrainingData } from './training_data';
import type { Architecture, Augmentation, Shape, Weights } from './types';

export class Engine {
  constructor(
    readonly exports: Exports,
    readonly bytes: Uint8Array, // the WebAssembly module, from which a worker starts its own engine
  ) {}

  // Throws an ArchitectureError if the layers are not a valid network.
  network(architecture: Architecture, weights: Weights): Network {
    return new Network(this.exports, architecture, weights);
  }

  trainingData(images: Uint8Array, labels: ArrayLike<number>): TrainingData {
    return new TrainingData(this.exports, images, labels);
  }

  // Augments an image (H, W, C) as if it stood at `first`, `first` + 1, ... in the epoch with this key: (copies, H, W, C).
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
      const settings = arrays.copyIn(encodeSettings(arrays, { augmentation, key }));
      const [source, augmented] = [arrays.copyIn(image), arrays.allocate(copies * size)];
      this.exports.augment(source, height, width, channels, settings, first, copies, augmented);
      return arrays.bytes(augmented, copies * size);
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
