// The native engine as WebAssembly. It works in a window, in a worker and in Node.
import { EngineError, type Exports } from './memory';
import { Network } from './network';
import { TrainingData } from './training_data';
import type { Architecture, Weights } from './types';

export class Engine {
  #exports: Exports;

  constructor(exports: Exports) {
    this.#exports = exports;
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
    return new Engine(exports);
  } catch (error) {
    throw new EngineError('This browser cannot start the engine; it needs WebAssembly with SIMD.', { cause: error });
  }
}
