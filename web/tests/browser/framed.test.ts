// The page in a frame as notebooks and editors show it: its document is an attribute, it may run scripts, and it shares
// nothing with the page around it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { inEachBrowser } from './open';
import { pagePath } from './reports';

const report = readFileSync(pagePath(inject('reports'), 'mnist'), 'utf8');
const escaped = report.replace(/&/g, '&amp;').replace(/"/g, '&quot;');
// The document of a frame inherits the policy of the page around it. Visual Studio Code's notebooks can have this one
// (the setting notebook.experimental.enableCsp).
const POLICIES = {
  'without a policy': '',
  'with the policy of an editor':
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; " +
    'img-src https: http: data:; font-src https:; connect-src https:; child-src https: data:',
};
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'convscope-framed-'));
  const frame = `<iframe sandbox="allow-scripts" width="1000" height="800" srcdoc="${escaped}"></iframe>`;
  for (const [name, policy] of Object.entries(POLICIES)) {
    const meta = policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
    writeFileSync(join(folder, `${name}.html`), `<!doctype html><title>outer</title>${meta}${frame}`);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

inEachBrowser(
  (browser) => {
    test.each(Object.keys(POLICIES))('a sandboxed frame %s has the live network, links and training', async (name) => {
      const page = await browser().newPage();
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      try {
        await page.setViewport({ width: 1040, height: 900 });
        await page.goto(pathToFileURL(join(folder, `${name}.html`)).href);
        const inner = (await (await page.$('iframe'))!.contentFrame())!;
        await inner.waitForSelector('html[data-ready="true"]', { timeout: 30_000 });
        await inner.waitForSelector('[data-parity="good"]');

        await inner.$eval('#theme-dark', (input) => (input as HTMLInputElement).click());
        await inner.$eval('header a[href="#verdict"]', (link) => (link as HTMLElement).click());
        await expect.poll(() => inner.evaluate(() => scrollY)).toBeGreaterThan(300);
        await inner.$eval('nav a[href="#calibration"]', (link) => (link as HTMLElement).click());
        const section = () =>
          inner.$eval('#calibration', (element) => ({
            open: element.querySelector('details')!.open,
            isSeen: element.getBoundingClientRect().top < 200,
          }));
        await expect.poll(section).toEqual({ open: true, isSeen: true });
        await inner.$eval('#evaluation .cards button', (button) => (button as HTMLElement).click());
        await expect.poll(() => inner.evaluate(() => scrollY)).toBe(0);

        await inner.$eval('[data-tab="train"]', (tab) => (tab as HTMLElement).click());
        await inner.waitForSelector('.train .main');
        await inner.$eval('.train .main', (button) => (button as HTMLElement).click());
        if (name === 'without a policy') {
          const steps = () => inner.$eval('.train', (train) => Number((train as HTMLElement).dataset.step));
          await expect.poll(steps).toBeGreaterThan(5);
          expect(complaints).toEqual([]);
        } else {
          await inner.waitForSelector('.train .problem'); // no worker may start from a blob there
          expect(complaints.filter((text) => !text.includes('Creating a worker from'))).toEqual([]);
        }
      } finally {
        await page.close();
      }
    });
  },
  ['chromium'],
);
