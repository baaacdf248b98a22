// Ablations by the buttons of their instrument, compared with those of Python.
import type { Page } from 'puppeteer-core';
import { expect } from 'vitest';
import { largestDifference, logitsOf, openTab } from './bench';

// Clicks without the pointer, since pointing at a filter shows a preview, and a click may then miss a button that has moved.
const press = (page: Page, filter: string) =>
  page.$eval(`[data-ablation="${filter}"]`, (button) => (button as HTMLButtonElement).click());

// Switches each filter off alone, compares the logits with Python's, and switches it on again.
export async function checkAblations(
  page: Page,
  ablations: Record<string, number[]>,
  filters: string[],
): Promise<void> {
  await openTab(page, 'ablations');
  // If there are many units, they are folded.
  await page.$$eval('[data-ablations] details', (all) =>
    all.forEach((element) => ((element as HTMLDetailsElement).open = true)),
  );
  for (const filter of filters) {
    await press(page, filter);
    await page.waitForSelector(`[data-ablation="${filter}"][aria-pressed="true"]`);
    expect(largestDifference(await logitsOf(page), ablations[filter]), `without ${filter}`).toBeLessThanOrEqual(1e-4);
    await press(page, filter);
    await page.waitForSelector(`[data-ablation="${filter}"][aria-pressed="false"]`);
  }
}

// Selects the first and the last filter of each layer.
export function firstAndLast(filters: string[]): string[] {
  const layerOf = (filter: string | undefined) => filter?.split('/')[0];
  const differs = (i: number, j: number) => layerOf(filters[i]) !== layerOf(filters[j]);
  return filters.filter((_, i) => differs(i, i - 1) || differs(i, i + 1));
}
