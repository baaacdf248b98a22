// Lists the problems that axe-core finds in a page.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, ImpactValue } from 'axe-core';
import type { Page } from 'puppeteer-core';

// axe reads a text's colour from -webkit-text-fill-color, which is the same as `color` unless a page sets it. In the mode of
// forced colours, Chromium still reports the page's own colour there, though it paints with the forced one. So axe reads
// `color` instead.
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8').replace(
  '-webkit-text-fill-color',
  'color',
);

interface WithAxe {
  axe?: { run(context: string, options: unknown): Promise<AxeResults> };
}

export const GRAVE: ImpactValue[] = ['serious', 'critical'];
const ANY: ImpactValue[] = ['minor', 'moderate', ...GRAVE];

// Rules that depend on how a browser paints the elements; the others read elements and attributes alone.
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
