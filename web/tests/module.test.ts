// TypeScript reads the types of an exported module from the module itself.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const web = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'convscope-module-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const OWN = `
import { load, type Classifier } from './model.mjs';
const model: Classifier = await load();
const images = new Uint8Array(model.inputShape[0] * model.inputShape[1] * model.inputShape[2]);
export const numbers: Float32Array[] = [model.logits(images), model.probabilities(new Uint8ClampedArray(images))];
export const names: string[] = model.predict(images).map((label: number) => model.classNames[label]!);
// @ts-expect-error
model.logits([1, 2]);
// @ts-expect-error
model.inputShape[3];
// @ts-expect-error
load().predict;
model.free();
`;

test('the compiler accepts the right use of a module and refuses the wrong', () => {
  const code = readFileSync(join(web, '../src/convscope/report/bundle/model.mjs'), 'utf8');
  writeFileSync(join(folder, 'model.mjs'), `${code}const convscopeFiles = {};\n`);
  writeFileSync(join(folder, 'own.mts'), OWN);
  const compiler = [join(web, 'node_modules/typescript/bin/tsc'), '--strict', '--allowJs', '--checkJs', '--noEmit'];
  const options = ['--target', 'es2022', '--module', 'nodenext', 'own.mts'];
  const complaints = () => execFileSync(process.execPath, [...compiler, ...options], { cwd: folder, encoding: 'utf8' });
  expect(complaints()).toBe('');
});
