// What `convscope export --format js` and "JavaScript" on the page put before a network. vite.module.ts builds it, behind the
// comments, types and the export of head.mjs.
import { largest } from '../analysis/largest';
import { loadEngine } from '../engine/engine';
import { EngineError } from '../engine/memory';
import { softmax } from '../engine/softmax';
import type { Architecture } from '../engine/types';
import { inflate } from '../payload/unpack';
import type { Classifier } from './head.mjs';

// Files of the module, deflated and in base64.
interface Files {
  engine: string; // engine.wasm
  model: string; // model.safetensors
}

export async function load(files: Files): Promise<Classifier> {
  const [engine, model] = await Promise.all([inflate(files.engine), inflate(files.model)]);
  const { architecture, class_names: classNames, weights } = readModel(model);
  const loaded = await loadEngine(new Uint8Array(engine)).catch(explain);
  const network = loaded.network(architecture, weights);
  const { height, width, channels } = architecture.input;
  const logits = (images: unknown): Float32Array => {
    // By its name, since a page's arrays are of another class in its frames, and in the tests of some frameworks.
    const [, type] = /(\w+)]/.exec(Object.prototype.toString.call(images))!;
    if (!/^Uint8(Clamped)?Array$/.test(type))
      throw new TypeError(`The images are ${type}; give a Uint8Array of bytes.`);
    try {
      return network.logits(images as Uint8Array);
    } catch (error) {
      return explain(error);
    }
  };
  return {
    classNames,
    inputShape: [height, width, channels],
    logits,
    probabilities: (images) => softmax(logits(images), network.numClasses),
    predict: (images) => largestOfRows(logits(images), network.numClasses),
    free: () => network.free(),
  };
}

// Reads a model.safetensors: the length of its header in 8 bytes, the header as JSON, and the weights.
function readModel(file: ArrayBuffer) {
  type Header = Record<string, { data_offsets: [number, number] }> & { __metadata__: { convscope: string } };
  const start = 8 + Number(new DataView(file).getBigUint64(0, true));
  const { __metadata__: about, ...tensors } = JSON.parse(
    new TextDecoder().decode(new Uint8Array(file, 8, start - 8)),
  ) as Header;
  const description = JSON.parse(about.convscope) as { architecture: Architecture; class_names: string[] };
  const weights = Object.entries(tensors).map(([name, { data_offsets: range }]) => {
    const [first, end] = range;
    return [name, new Float32Array(file.slice(start + first, start + end))] as const;
  });
  return { ...description, weights: Object.fromEntries(weights) };
}

const largestOfRows = (numbers: Float32Array, columns: number): number[] =>
  Array.from({ length: numbers.length / columns }, (_, i) => largest(numbers.subarray(i * columns, (i + 1) * columns)));

// Throws an error of the engine in words; the page has its own in its catalogues.
function explain(error: unknown): never {
  if (!(error instanceof EngineError)) throw error;
  const { key, cause } = error;
  const isStart = key === 'refused.engine.start';
  throw new Error(isStart ? 'The engine needs WebAssembly with SIMD.' : 'Out of memory; give fewer images.', { cause });
}
