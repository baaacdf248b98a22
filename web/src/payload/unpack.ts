// Unpacks the payload's arrays, which Python or pack.ts packed, to typed arrays.
import type { Weights } from '../engine/types';
import type { Block } from './types';

export type Numbers = Float32Array | Uint8Array | Uint16Array | Int8Array;

function bytesOfBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// Decodes base64 and inflates the bytes.
export async function inflate(text: string): Promise<ArrayBuffer> {
  const bytes = bytesOfBase64(text) as BlobPart;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(stream).arrayBuffer();
}

// Unpacks 4-bit integers and scales them by 17, from [0, 15] to [0, 255].
function unpackNibbles(halves: Uint8Array): Uint8Array {
  const numbers = new Uint8Array(2 * halves.length);
  for (let i = 0; i < halves.length; i++) {
    numbers[2 * i] = 17 * (halves[i] >> 4);
    numbers[2 * i + 1] = 17 * (halves[i] & 15);
  }
  return numbers;
}

const ARRAYS = { float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array, int8: Int8Array };

// Unpacks the stored numbers, without multiplying int8 by its scales.
export async function unpack(block: Block): Promise<Numbers> {
  const bytes = await inflate(block.data);
  const numbers = block.dtype === 'uint4' ? unpackNibbles(new Uint8Array(bytes)) : new ARRAYS[block.dtype](bytes);
  const size = block.shape.reduce((product, n) => product * n, 1);
  if (numbers.length !== size) throw new Error(`a packed array has ${numbers.length} numbers instead of ${size}`);
  return numbers;
}

export async function unpackFloats(block: Block): Promise<Float32Array> {
  const numbers = await unpack(block);
  if (numbers instanceof Float32Array) return numbers;
  const floats = Float32Array.from(numbers);
  const { scales } = block; // of int8: one for each index of the last axis, such as a kernel's filters
  if (scales !== undefined) for (let i = 0; i < floats.length; i++) floats[i] *= scales[i % scales.length];
  return floats;
}

export async function unpackBytes(block: Block): Promise<Uint8Array> {
  const numbers = await unpack(block);
  if (!(numbers instanceof Uint8Array)) throw new Error(`a packed array is ${block.dtype}, not uint8`);
  return numbers;
}

export async function unpackWeights(blocks: Record<string, Block>): Promise<Weights> {
  const names = Object.keys(blocks);
  const arrays = await Promise.all(names.map((name) => unpackFloats(blocks[name])));
  return Object.fromEntries(names.map((name, i) => [name, arrays[i]]));
}
