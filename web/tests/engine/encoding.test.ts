// Settings are passed to the engine as a row of numbers.
import { expect, test } from 'vitest';
import type { Exports } from '../../src/engine/memory';
import { StructFields } from '../../src/engine/encoding';

function fieldsOf(text: string): StructFields {
  const memory = new WebAssembly.Memory({ initial: 1 });
  new Uint8Array(memory.buffer).set(new TextEncoder().encode(`${text}\0`), 8);
  return new StructFields({ memory } as Exports, 8);
}

test('a row has the values in the order of the fields, and NaN for missing ones', () => {
  const fields = fieldsOf(' kind =Dense|Flatten| input *3 bias *1 none *0');
  expect(fields.encode({ input: [1, 2, 3], kind: 'Flatten' })).toEqual([1, 1, 2, 3, NaN]);
  expect(fields.encode({ kind: 'Dense', bias: true })).toEqual([0, NaN, NaN, NaN, 1]);
});

test('an unknown field, an unknown choice and a wrong size are refused', () => {
  const fields = fieldsOf(' kind =Dense|Flatten| input *3');
  expect(() => fields.encode({ shape: [1] })).toThrow('no field shape');
  expect(() => fields.encode({ kind: 'Conv9D' })).toThrow('no kind Conv9D; it has Dense, Flatten');
  expect(() => fields.encode({ input: [1] })).toThrow('takes 3 numbers, not 1');
});
