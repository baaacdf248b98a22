// Unpacks arrays of the payload.
import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { unpackBytes } from '../src/payload/unpack';
import type { Block } from '../src/payload/types';

const packed = (dtype: Block['dtype'], shape: number[], bytes: number[]): Block => ({
  dtype,
  shape,
  data: deflateSync(Uint8Array.from(bytes)).toString('base64'),
});

test('a byte holds two numbers of 4 bits, the first in its upper half', async () => {
  const numbers = await unpackBytes(packed('uint4', [1, 2, 2, 1], [0x0f, 0x71]));
  expect([...numbers]).toEqual([0, 255, 119, 17]);
});

test('an array whose size is not that of its shape is refused', async () => {
  await expect(unpackBytes(packed('uint4', [3], [0x0f, 0x71]))).rejects.toThrow('has 4 numbers instead of 3');
  await expect(unpackBytes(packed('uint8', [3], [1, 2]))).rejects.toThrow('has 2 numbers instead of 3');
});
