// Lists the problems that axe-core finds in a page.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, ImpactValue } from 'axe-core';
import type { Page } from 'puppeteer-core';

// axe takes the colour of text from its filling. The page gives it none, so it is that of the text; but with forced colours
// Chromium paints the text in these, and names the page's own colour as that of the filling.
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8').replace(
  '-webkit-text-fill-color',
  'color',
);

interface WithAxe {
  axe?: { run(context: string, options: unknown): Promise<AxeResults> };
}

export const GRAVE: ImpactValue[] = ['serious', 'critical'];
const ANY: ImpactValue[] = ['minor', 'moderate', ...GRAVE];

// Rules on what a browser makes of the elements; the others read elements and attributes alone.
export const PAINTED = ['color-contrast', 'link-in-text-block', 'scrollable-region-focusable'];

// Checks all rules, or those that are named.
export async function axeFindings(page: Page, part: string, impacts = ANY, rules?: string[]): Promise<string[]> {
  if (await page.evaluate(() => (window as WithAxe).axe === undefined)) await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    (context, runOnly) =>
      (window as WithAxe).axe!.run(context, { resultTypes: ['violations'], runOnly, preload: false }),
    part,
    rules,
  );
  return violations
    .filter(({ impact }) => impact != null && impacts.includes(impact))
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${help}; ${target.join(' ')}: ${failureSummary}`),
    );
}
