// The page in a frame as notebooks and editors show it: its document is an attribute, it may run scripts, and nothing it
// could share with the page around it is there.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { inEachBrowser } from './open';
import { pagePath } from './reports';

const report = readFileSync(pagePath(inject('reports'), 'mnist'), 'utf8');
const escaped = report.replace(/&/g, '&amp;').replace(/"/g, '&quot;');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'convscope-framed-'));
  const frame = `<iframe sandbox="allow-scripts" width="1000" height="800" srcdoc="${escaped}"></iframe>`;
  writeFileSync(join(folder, 'outer.html'), `<!doctype html><title>outer</title>${frame}`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

inEachBrowser(
  (browser) => {
    test('a sandboxed frame has the live network, follows its links and trains', async () => {
      const page = await browser().newPage();
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      try {
        await page.setViewport({ width: 1040, height: 900 });
        await page.goto(pathToFileURL(join(folder, 'outer.html')).href);
        const inner = (await (await page.$('iframe'))!.contentFrame())!;
        await inner.waitForSelector('html[data-ready="true"]', { timeout: 30_000 });
        await inner.waitForSelector('[data-parity="good"]');

        await inner.$eval('#theme-dark', (input) => (input as HTMLInputElement).click());
        await inner.$eval('header a[href="#verdict"]', (link) => (link as HTMLElement).click());
        await expect.poll(() => inner.evaluate(() => scrollY)).toBeGreaterThan(300);
        await inner.$eval('nav a[href="#calibration"]', (link) => (link as HTMLElement).click());
        const section = () =>
          inner.$eval('#calibration', (one) => ({
            open: one.querySelector('details')!.open,
            isSeen: one.getBoundingClientRect().top < 200,
          }));
        await expect.poll(section).toEqual({ open: true, isSeen: true });
        await inner.$eval('#evaluation .cards button', (button) => (button as HTMLElement).click());
        await expect.poll(() => inner.evaluate(() => scrollY)).toBe(0);

        // Its worker starts from a blob.
        await inner.$eval('[data-tab="train"]', (tab) => (tab as HTMLElement).click());
        await inner.waitForSelector('.train .main');
        await inner.$eval('.train .main', (button) => (button as HTMLElement).click());
        const steps = () => inner.$eval('.train', (train) => Number((train as HTMLElement).dataset.step));
        await expect.poll(steps).toBeGreaterThan(5);
        expect(complaints).toEqual([]);
      } finally {
        await page.close();
      }
    });
  },
  ['chromium'],
);
