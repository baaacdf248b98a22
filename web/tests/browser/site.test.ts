// The site that `make docs` builds, from the disk: its start page asks no other host, and the live pages that it links to work.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { complaintsOf, inEachBrowser, open, visit } from './open';

const START = resolve(import.meta.dirname, '../../../build/docs/index.html');

if (!existsSync(START) && process.env.CI !== 'true') test.skip('the site, which `make docs` builds', () => undefined);
else
  inEachBrowser((browser) => {
    test('the start page has its pictures and links to live pages that open', async () => {
      const opened = await open(browser(), START, { started: false });
      const links = await opened.page.$$eval('a[href^="live/"]', (anchors) =>
        anchors.map((link) => link.getAttribute('href')!),
      );
      const blank = await opened.page.$$eval(
        'img',
        (pictures) => pictures.filter((picture) => picture.naturalWidth === 0).length,
      );
      const requests = (await complaintsOf(opened)).filter((complaint) => !complaint.startsWith('request: file:'));
      await opened.page.close();
      expect({ count: links.length, blank, requests }).toEqual({ count: 3, blank: 0, requests: [] });
      for (const link of links) {
        const [path, fragment] = link.split('#') as [string, string?];
        await visit(
          browser(),
          join(dirname(START), path),
          { fragment: fragment === undefined ? '' : `#${fragment}` },
          async ({ page }) => {
            await page.waitForSelector('[data-parity="good"]');
            if (fragment?.includes('n=')) await page.waitForSelector('.lesson');
          },
        );
      }
    });
  });
