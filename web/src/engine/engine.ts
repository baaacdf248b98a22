// The native engine as WebAssembly. It works in a window, in a worker and in Node.
import { EngineError, type Exports } from './memory';
import { Network } from './network';
import { TrainingData } from './training_data';
import type { Architecture, Weights } from './types';

export class Engine {
  readonly bytes: Uint8Array; // of the module, for whoever starts another one
  #exports: Exports;

  constructor(exports: Exports, bytes: Uint8Array) {
    this.#exports = exports;
    this.bytes = bytes;
  }

  // Throws an ArchitectureError where the layers make no network.
  network(architecture: Architecture, weights: Weights): Network {
    return new Network(this.#exports, architecture, weights);
  }

  trainingData(images: Uint8Array, labels: ArrayLike<number>): TrainingData {
    return new TrainingData(this.#exports, images, labels);
  }
}

export async function loadEngine(bytes: Uint8Array): Promise<Engine> {
  try {
    const { instance } = await WebAssembly.instantiate(bytes as Uint8Array<ArrayBuffer>, {});
    const exports = instance.exports as unknown as Exports;
    exports._initialize();
    return new Engine(exports, bytes);
  } catch (error) {
    throw new EngineError('This browser cannot start the engine; it needs WebAssembly with SIMD.', { cause: error });
  }
}
