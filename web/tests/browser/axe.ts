// What axe-core finds wrong in a page.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, ImpactValue } from 'axe-core';
import type { Page } from 'puppeteer-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface WithAxe {
  axe?: { run(context: string, options: unknown): Promise<AxeResults> };
}

export const GRAVE: ImpactValue[] = ['serious', 'critical'];
const ANY: ImpactValue[] = ['minor', 'moderate', ...GRAVE];

export async function axeFindings(page: Page, part: string, impacts = ANY): Promise<string[]> {
  if (await page.evaluate(() => (window as WithAxe).axe === undefined)) await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    (context) => (window as WithAxe).axe!.run(context, { resultTypes: ['violations'] }),
    part,
  );
  return violations
    .filter(({ impact }) => impact != null && impacts.includes(impact))
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${help}; ${target.join(' ')}: ${failureSummary}`),
    );
}
