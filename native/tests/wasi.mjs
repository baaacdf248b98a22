// Runs a WebAssembly program with Node's WASI: node wasi.mjs PROGRAM [ARGUMENT...]
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [program, ...words] = process.argv.slice(2);
const { CONVSCOPE_ISA = '' } = process.env;
const wasi = new WASI({ version: 'preview1', args: [program, ...words], env: { CONVSCOPE_ISA }, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(program));
process.exitCode = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
