// The module by itself: what it needs, and what is left of it when memory runs out.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { loadEngine } from '../../src/engine/engine';
import { LAYER_KINDS } from '../../src/engine/layers';
import { call, EngineError, type Exports } from '../../src/engine/memory';
import { StructFields } from '../../src/engine/encoding';

const file = new URL('../../../src/convscope/report/bundle/engine.wasm', import.meta.url);
const module = await WebAssembly.compile(await readFile(file));

async function instance(): Promise<Exports> {
  const exports = (await WebAssembly.instantiate(module, {})).exports as unknown as Exports;
  exports._initialize();
  return exports;
}

test('the module imports nothing', () => {
  expect(WebAssembly.Module.imports(module)).toEqual([]);
});

test('the module knows every kind of layer of the page', async () => {
  const exports = await instance();
  const [kind] = new StructFields(exports, exports.layer_fields()).fields;
  expect(kind.choices).toEqual(expect.arrayContaining(Object.keys(LAYER_KINDS)));
});

test('an array too large is an error in words, after which the module works on', async () => {
  const exports = await instance();
  const stack = exports.__stack_pointer.value;
  expect(() => call(exports, (arrays) => arrays.allocate(2 ** 32 - 128))).toThrow(EngineError);
  expect(exports.__stack_pointer.value).toBe(stack);
  expect(call(exports, (arrays) => arrays.floats(arrays.copyIn(Float32Array.of(1, 2)), 2))).toEqual(
    Float32Array.of(1, 2),
  );
});

test('memory of a call is released, even if the call throws', async () => {
  const exports = await instance();
  const megabyte = new Uint8Array(2 ** 20);
  const use = () => call(exports, (arrays) => arrays.copyIn(megabyte));
  const fail = () =>
    call(exports, (arrays) => {
      arrays.copyIn(megabyte);
      throw new Error('for a reason');
    });
  use();
  const before = exports.memory.buffer.byteLength;
  for (let i = 0; i < 50; i++) {
    use();
    expect(fail).toThrow('for a reason');
  }
  expect(exports.memory.buffer.byteLength).toBe(before);
});

test('bytes that are no module are an error in words', async () => {
  await expect(loadEngine(Uint8Array.of(0, 97, 115, 109))).rejects.toThrow(EngineError);
});
