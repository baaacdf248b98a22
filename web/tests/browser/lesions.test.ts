// Lesions in the page against the same lesions in Python.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { largestDifference, logitsOf, openTab } from './bench';
import { inEachBrowser, visit } from './open';
import { expectedOf, made, pagePath, type ReportName } from './reports';

const folder = inject('reports');

// Not by the pointer: pointing at a filter shows a preview, and on a busy machine a click may come after what moves then.
const press = (page: Page, filter: string) =>
  page.$eval(`[data-lesion="${filter}"]`, (button) => (button as HTMLButtonElement).click());

// Switches each off alone, holds the logits to Python's, and switches it on again.
async function checkLesions(page: Page, name: ReportName, filters: string[]): Promise<void> {
  const { logits, lesions } = expectedOf(folder, name);
  await openTab(page, 'lesions');
  // Units are folded away where there are many.
  await page.$$eval('[data-lesions] details', (all) => all.forEach((one) => ((one as HTMLDetailsElement).open = true)));
  for (const filter of filters) {
    await press(page, filter);
    await page.waitForSelector(`[data-lesion="${filter}"][aria-pressed="true"]`);
    expect(largestDifference(await logitsOf(page), lesions[filter]), `without ${filter}`).toBeLessThanOrEqual(1e-4);
    await press(page, filter);
    await page.waitForSelector(`[data-lesion="${filter}"][aria-pressed="false"]`);
  }
  expect(largestDifference(await logitsOf(page), logits[0])).toBeLessThanOrEqual(1e-4);
}

function firstAndLast(filters: string[]): string[] {
  const layerOf = (filter: string | undefined) => filter?.split('/')[0];
  const differs = (i: number, j: number) => layerOf(filters[i]) !== layerOf(filters[j]);
  return filters.filter((_, i) => differs(i, i - 1) || differs(i, i + 1));
}

inEachBrowser((browser) => {
  test('each of the 48 filters of cnn gives the logits that Python gives', async () => {
    const filters = Object.keys(expectedOf(folder, 'mnist').lesions).filter((filter) => filter.startsWith('conv2d'));
    expect(filters).toHaveLength(48);
    await visit(browser(), pagePath(folder, 'mnist'), { fragment: '#bench?i=0' }, ({ page }) =>
      checkLesions(page, 'mnist', filters),
    );
  });

  test.each(made(folder, ['fashion', 'letters', 'hostile', 'ann']))(
    'the first and last of each layer of %s',
    async (name) => {
      const filters = firstAndLast(Object.keys(expectedOf(folder, name).lesions));
      expect(filters.length).toBeGreaterThanOrEqual(4);
      await visit(browser(), pagePath(folder, name), { fragment: '#bench?i=0' }, ({ page }) =>
        checkLesions(page, name, filters),
      );
    },
  );
});
