// An exported module in a page that is opened from disk: in the page itself, in a worker, and imported from a blob.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { largestDifference } from './bench';
import { inEachBrowser, visit } from './open';
import { expectedOf, firstImages, pagePath } from './reports';

const reports = inject('reports');
const { logits } = expectedOf(reports, 'mnist');
const folder = mkdtempSync(join(tmpdir(), "convscope's module "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const OWN = `
const bytes = Uint8Array.from(BYTES);
const { logits, predict } = await load();
const text = document.getElementById('module').textContent.split('const bytes')[0];
const blob = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
const imported = await (await import(blob)).load();
const code = text + 'onmessage = async ({ data }) => postMessage((await load()).logits(data));';
// From disk, Chromium starts no module worker from a blob.
const worker = new Worker('data:text/javascript;charset=utf-8,' + encodeURIComponent(code), { type: 'module' });
const answer = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
worker.postMessage(bytes);
document.body.textContent = JSON.stringify({ page: [...logits(bytes)], predictions: predict(bytes),
  blob: [...imported.logits(bytes)], worker: [...await answer] });
document.documentElement.dataset.ready = 'true';
`;

inEachBrowser((browser) => {
  test('a module gives the logits of Python in a page, a worker and a blob', async () => {
    const module = readFileSync(join(reports, 'mnist/exports/model.mjs'), 'utf8');
    const images = await firstImages(pagePath(reports, 'mnist'), logits.length);
    const script = `${module}${OWN.replace('BYTES', JSON.stringify([...images]))}`;
    const path = join(folder, 'page.html');
    writeFileSync(path, `<!DOCTYPE html><meta charset="utf-8"><script type="module" id="module">${script}</script>`);
    await visit(browser(), path, {}, async ({ page }) => {
      const answers = JSON.parse(await page.$eval('body', (body) => body.textContent)) as Record<string, number[]>;
      for (const where of ['page', 'worker', 'blob']) {
        expect(largestDifference(answers[where], logits.flat()), where).toBeLessThan(1e-4);
      }
      expect(answers.predictions).toEqual(logits.map((row) => row.indexOf(Math.max(...row))));
    });
  });
});
