// Tests that the browser tests notice the problems that they look for.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { complaintsOf, inEachBrowser, open } from './open';

const FAULTS: [string, string, RegExp][] = [
  ['a console message', '<script>console.log("hello")</script>', /^console log: hello/],
  ['an error', '<script>setTimeout(() => { throw new Error("thrown") })</script>', /thrown/],
  ['a request', '<img src="http://convscope.invalid/x.png">', /^request: https?:\/\/convscope\.invalid/],
  ['a dialog', '<script>setTimeout(() => alert("from the page"), 10)</script>', /^dialog: from the page/],
  [
    'what a policy forbids',
    '<meta http-equiv="Content-Security-Policy" content="img-src \'none\'"><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    /img-src/,
  ],
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'convscope-harness-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

inEachBrowser((browser) => {
  test.each(FAULTS)('%s is written down', async (_, html, pattern) => {
    const path = join(folder, 'fault.html');
    writeFileSync(path, `<!doctype html><meta charset="utf-8">${html}`);
    const opened = await open(browser(), path, { started: false });
    await expect.poll(() => complaintsOf(opened)).toContainEqual(expect.stringMatching(pattern));
    await opened.page.close();
  });

  test('a page that does nothing has no complaint', async () => {
    const path = join(folder, 'good.html');
    writeFileSync(path, '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><p>Good</p>');
    const opened = await open(browser(), path, { started: false });
    expect(await complaintsOf(opened)).toEqual([]);
    await opened.page.close();
  });
});
