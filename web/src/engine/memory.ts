// The functions and the memory of the WebAssembly module, and arrays that live there during one call.
import { TextError } from '../text/error';

type Pointer = number;

// What native/page.cpp exports; each function is described there. An index of a layer is its row of the table.
// prettier-ignore
export interface Exports {
  memory: WebAssembly.Memory;
  __stack_pointer: WebAssembly.Global<'i32'>;
  _initialize(): void;
  allocate(bytes: number): Pointer;
  release(at: Pointer): void;
  input_fields(): Pointer;
  layer_fields(): Pointer;
  settings_fields(): Pointer;
  network_make(input: Pointer, layers: Pointer, count: number): Pointer;
  network_free(network: Pointer): void;
  network_write(network: Pointer, layer: number, kernel: Pointer, bias: Pointer): void;
  network_read(network: Pointer, layer: number, kernel: Pointer, bias: Pointer): void;
  network_write_moving(network: Pointer, layer: number, means: Pointer, variances: Pointer, count: number): void;
  network_read_moving(network: Pointer, layer: number, means: Pointer, variances: Pointer, count: number): void;
  network_logits(network: Pointer, images: Pointer, count: number, logits: Pointer): void;
  network_outputs(network: Pointer, images: Pointer, count: number,
    layers: Pointer, filters: Pointer, values: Pointer, replacements: number, outputs: Pointer): void;
  network_ablation_logits(network: Pointer, images: Pointer, count: number, ends: Pointer, ablations: number,
    layers: Pointer, filters: Pointer, values: Pointer, logits: Pointer): void;
  network_layer_gradients(network: Pointer, images: Pointer, count: number, dlogits: Pointer,
    layers: Pointer, numLayers: number, gradients: Pointer): void;
  data_make(count: number, imageBytes: number): Pointer;
  data_free(data: Pointer): void;
  data_images(data: Pointer): Pointer;
  data_write_labels(data: Pointer, labels: Pointer): void;
  network_train(network: Pointer, data: Pointer, order: Pointer, count: number, first: number, batchSize: number,
    learningRates: Pointer, settings: Pointer, score: Pointer): void;
  network_gradients(network: Pointer, data: Pointer, order: Pointer, count: number, first: number, isStep: number,
    settings: Pointer, score: Pointer, gradients: Pointer): void;
  network_prediction_step(network: Pointer, data: Pointer, order: Pointer, count: number,
    learningRate: number, settings: Pointer, score: Pointer): void;
  network_read_moments(network: Pointer, layer: number,
    mKernel: Pointer, mBias: Pointer, vKernel: Pointer, vBias: Pointer): void;
  network_write_moments(network: Pointer, layer: number,
    mKernel: Pointer, mBias: Pointer, vKernel: Pointer, vBias: Pointer): void;
  network_steps(network: Pointer): number;
  network_set_steps(network: Pointer, steps: number): void;
  network_reset_optimizer(network: Pointer): void;
  augment(image: Pointer, height: number, width: number, channels: number,
    settings: Pointer, first: number, copies: number, augmented: Pointer): void;
  picture_fit(height: number, width: number, longest: number, size: Pointer): void;
  picture_average_rows(band: Pointer, start: number, rows: number, columns: number, channels: number,
    height: number, width: number, first: number, last: number, averaged: Pointer): void;
  picture_prepare(pixels: Pointer, rows: number, columns: number, colours: number,
    height: number, width: number, channels: number,
    isInkLight: number, target: number, threshold: number, isCentred: number, steps: number, result: Pointer): Pointer;
  picture_free(prepared: Pointer): void;
}

export class EngineError extends TextError {
  override name = 'EngineError';
}

export type Numbers = Uint8Array | Int32Array | Float32Array | Float64Array;

// Arrays in the memory of the module, released together. `floats`, `bytes` and `doubles` copy an array out, since a call may
// move the memory.
export class Arrays {
  #pointers: Pointer[] = [];

  constructor(readonly exports: Exports) {}

  allocate(bytes: number): Pointer {
    const pointer = this.exports.allocate(bytes);
    this.#pointers.push(pointer);
    return pointer;
  }

  copyIn(numbers: Numbers): Pointer {
    const pointer = this.allocate(numbers.byteLength);
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    new Uint8Array(this.exports.memory.buffer, pointer, bytes.length).set(bytes);
    return pointer;
  }

  floats(pointer: Pointer, count: number): Float32Array {
    return new Float32Array(this.exports.memory.buffer, pointer, count).slice();
  }

  bytes(pointer: Pointer, count: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, pointer, count).slice();
  }

  doubles(pointer: Pointer, count: number): Float64Array {
    return new Float64Array(this.exports.memory.buffer, pointer, count).slice();
  }

  release(): void {
    for (const pointer of this.#pointers) this.exports.release(pointer);
    this.#pointers = [];
  }
}

// Runs `work` with arrays that are released afterwards. If the module runs out of memory, it traps; its stack is then restored.
export function call<Result>(exports: Exports, work: (arrays: Arrays) => Result): Result {
  const stack = exports.__stack_pointer.value;
  const arrays = new Arrays(exports);
  try {
    return work(arrays);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    exports.__stack_pointer.value = stack;
    throw new EngineError('refused.engine.memory', {}, { cause: error });
  } finally {
    arrays.release();
  }
}
