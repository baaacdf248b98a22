// What axe-core finds wrong, in both themes and with each instrument open.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { axeFindings, GRAVE } from './axe';
import { openTab, tabsOf } from './bench';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');
const FRAGMENT = '#bench?i=0&c=conv2d_1.12.4.7&l=conv2d.3:zero'; // something held, something switched off

const grave = (page: Page, part: string) => axeFindings(page, part, GRAVE);

async function graveWithEachInstrument(page: Page): Promise<string[]> {
  const found = await grave(page, 'html');
  for (const tab of await tabsOf(page)) {
    await openTab(page, tab);
    await new Promise((resolve) => setTimeout(resolve, 1000)); // what is computed in slices is there
    found.push(...(await grave(page, '#bench')).map((text) => `${tab}: ${text}`));
  }
  return found;
}

// The elements are the same in every browser.
inEachBrowser(
  (browser) => {
    test.each(['light', 'dark'] as const)('nothing serious in the %s theme', async (theme) => {
      await visit(browser(), path, { theme, fragment: FRAGMENT }, async ({ page }) => {
        expect(await graveWithEachInstrument(page)).toEqual([]);
      });
    });

    test('nothing serious on a telephone', async () => {
      const telephone = { width: 360, height: 740 };
      await visit(browser(), path, { ...telephone, fragment: FRAGMENT }, async ({ page }) => {
        expect(await graveWithEachInstrument(page)).toEqual([]);
      });
    });
  },
  ['chromium'],
);
