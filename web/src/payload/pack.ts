// Packs typed arrays as `src/convscope/base/packing.py` does; `unpack` reads them.
import type { Weights } from '../engine/types';
import type { Block } from './types';

const CHUNK_BYTES = 0x8000; // converted at once, since a function call takes a limited number of arguments

function base64Of(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    parts.push(String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES)));
  }
  return btoa(parts.join(''));
}

export async function deflate(bytes: Uint8Array): Promise<string> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream('deflate'));
  return base64Of(new Uint8Array(await new Response(stream).arrayBuffer()));
}

export async function pack(numbers: Float32Array | Uint8Array | Uint16Array, shape: number[]): Promise<Block> {
  const dtype =
    numbers instanceof Float32Array ? 'float32' : numbers instanceof Uint16Array ? 'uint16' : ('uint8' as const);
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return { dtype, shape, data: await deflate(bytes) };
}

export async function packWeights(weights: Weights, shapes: Record<string, number[]>): Promise<Record<string, Block>> {
  const names = Object.keys(shapes);
  const blocks = await Promise.all(names.map((name) => pack(weights[name], shapes[name])));
  return Object.fromEntries(names.map((name, i) => [name, blocks[i]]));
}

// Writes JSON for a script element, so that no text in it can end the element; as `script_json` of the Python package.
export function scriptJson(value: unknown): string {
  const escaped = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escaped);
}
