// IDX files, the format MNIST came in, plain or gzip: a header that says the shape, then the bytes. Nothing is believed
// before it is checked, and nothing is allocated that the file's own length cannot fill.

import { TextError } from '../text/error';

export const MOST_BYTES = 512 * 2 ** 20; // of all arrays together
const UNSIGNED_BYTE = 0x08;
const MOST_DIMENSIONS = 4; // (N, H, W, C)
const DEFLATE_RATIO = 1032; // deflate cannot do better
const TYPES: Record<number, string> = { 9: 'int8', 11: 'int16', 12: 'int32', 13: 'float32', 14: 'float64' };

// Why files are refused.
export class IdxError extends TextError {
  override name = 'IdxError';
}

export interface IdxArray {
  name: string;
  shape: number[];
  values: Uint8Array;
}

export interface NamedFile {
  name: string;
  size: number;
  stream(): ReadableStream<Uint8Array>;
}

// Pulls pieces of a stream apart at the places that the format asks for.
class Pieces {
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #pending = new Uint8Array();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  // Fills `into` and says how many bytes there were for it.
  async fill(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      if (this.#pending.length === 0) {
        const { value, done } = await this.#reader.read();
        if (done) break;
        this.#pending = value as Uint8Array<ArrayBuffer>;
        continue;
      }
      const taken = this.#pending.subarray(0, into.length - filled);
      into.set(taken, filled);
      filled += taken.length;
      this.#pending = this.#pending.subarray(taken.length);
    }
    return filled;
  }

  // Lets go of the file, read to its end or not.
  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => undefined);
  }
}

function checkStart(name: string, start: Uint8Array, held: number): void {
  if (held === 0) throw new IdxError('refused.file.empty', { file: name });
  if (held < 4 || start[0] !== 0 || start[1] !== 0) {
    throw new IdxError('refused.file.format', { file: name });
  }
  if (start[2] !== UNSIGNED_BYTE) {
    const type = TYPES[start[2]];
    if (type === undefined) throw new IdxError('refused.file.unknownType', { file: name });
    throw new IdxError('refused.file.type', { file: name, type });
  }
  if (start[3] < 1 || start[3] > MOST_DIMENSIONS) {
    throw new IdxError('refused.file.dimensions', { file: name, dimensions: start[3], most: MOST_DIMENSIONS });
  }
}

// `fileBytes` is the length of a plain file, `mostBytes` what a compressed one can hold at best.
async function readPieces(
  name: string,
  pieces: Pieces,
  bounds: { memory: number; mostBytes: number; fileBytes: number | null },
): Promise<IdxArray> {
  const start = new Uint8Array(4);
  checkStart(name, start, await pieces.fill(start));
  const header = new Uint8Array(4 * start[3]);
  if ((await pieces.fill(header)) < header.length) throw new IdxError('refused.file.header', { file: name });
  const view = new DataView(header.buffer);
  const shape = Array.from({ length: start[3] }, (_, i) => view.getUint32(4 * i));
  const size = shape.reduce((product, n) => product * n, 1);
  const promise = { file: name, shape: shape.join(' × '), size };
  if (shape.includes(0)) throw new IdxError('refused.file.zero', promise);
  const { memory, mostBytes, fileBytes } = bounds;
  if (size > memory) {
    throw new IdxError('refused.file.limit', { ...promise, megabytes: MOST_BYTES / 2 ** 20 });
  }
  if (size > mostBytes) throw new IdxError('refused.file.incomplete', promise);
  if (fileBytes !== null && fileBytes !== 4 + header.length + size) {
    const held = fileBytes - 4 - header.length;
    throw new IdxError('refused.file.otherSize', { ...promise, held });
  }
  const values = new Uint8Array(size);
  const filled = await pieces.fill(values);
  if (filled < size) throw new IdxError('refused.file.ends', { ...promise, held: filled });
  if ((await pieces.fill(new Uint8Array(1))) > 0) throw new IdxError('refused.file.more', promise);
  return { name, shape, values };
}

// Whether the first bytes are those of gzip, whatever the file is called.
async function isGzip(file: NamedFile): Promise<boolean> {
  const pieces = new Pieces(file.stream());
  const start = new Uint8Array(2);
  const held = await pieces.fill(start);
  await pieces.close();
  return held === 2 && start[0] === 0x1f && start[1] === 0x8b;
}

// Raises IdxError, also for an array of more than `memory` bytes, before they are allocated.
export async function readIdx(file: NamedFile, memory = MOST_BYTES): Promise<IdxArray> {
  const compressed = await isGzip(file);
  const stream = compressed
    ? file.stream().pipeThrough(new DecompressionStream('gzip') as unknown as TransformStream<Uint8Array, Uint8Array>)
    : file.stream();
  const pieces = new Pieces(stream);
  try {
    const bounds = compressed
      ? { memory, mostBytes: DEFLATE_RATIO * file.size, fileBytes: null }
      : { memory, mostBytes: Infinity, fileBytes: file.size };
    return await readPieces(file.name, pieces, bounds);
  } catch (error) {
    if (error instanceof IdxError) throw error;
    throw new IdxError(compressed ? 'refused.file.gzip' : 'refused.file.unread', { file: file.name });
  } finally {
    await pieces.close();
  }
}
