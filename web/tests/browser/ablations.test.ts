// Ablations of cnn in the page against the same ablations in Python; kinds.test.ts has those of the other networks.
import { expect, inject, test } from 'vitest';
import { largestDifference, logitsOf, openTab, predictionOf } from './bench';
import { checkAblations, firstAndLast } from './ablations';
import { inEachBrowser, visit } from './open';
import { expectedOf, pagePath } from './reports';

const folder = inject('reports');

inEachBrowser((browser, name) => {
  test('the bars compare the same two classes when another is the answer, and the change has its paired interval', async () => {
    const opened = async (fragment: string) => {
      let result: (string | undefined)[] = [];
      await visit(browser(), pagePath(folder, 'mnist'), { fragment: `#bench?i=0${fragment}` }, async ({ page }) => {
        await openTab(page, 'ablations');
        await page.waitForSelector('.accuracy [data-change]');
        const pair = await page.$eval('.ablations', (element) => (element as HTMLElement).dataset.pair);
        const change = await page.$eval('.accuracy .note', (element) => element.textContent);
        result = [String(await predictionOf(page)), pair, change];
      });
      return result;
    };
    const [answer, pair, unchanged] = await opened('');
    const [ablated, ablatedPair, changed] = await opened('&l=conv2d:zero');
    expect(ablated).not.toBe(answer);
    expect(ablatedPair).toBe(pair);
    expect(unchanged).toMatch(/95 % interval −1\.3 to \+1\.3/);
    expect(changed).toMatch(/: −\d+\.\d points, 95 % interval −\d+\.\d to −\d+\.\d/);
  });

  test('each of the 48 filters of cnn gives the logits that Python gives, in Firefox every fourth', async () => {
    const { logits, ablations } = expectedOf(folder, 'mnist');
    const filters = Object.keys(ablations).filter((filter) => filter.startsWith('conv2d'));
    expect(filters).toHaveLength(48);
    const tried = name === 'firefox' ? filters.filter((_, i) => i % 4 === 0) : filters;
    await visit(browser(), pagePath(folder, 'mnist'), { fragment: '#bench?i=0' }, async ({ page }) => {
      const goTo = (fragment: string) => page.evaluate((hash) => (location.hash = hash), `#bench?i=0${fragment}`);
      const difference = async (expected: number[]) => largestDifference(await logitsOf(page), expected);
      // Filters are switched off by the address and not in the panel of ablations, which would also measure the accuracy
      // without each of them and take long.
      for (const filter of tried) {
        await goTo(`&l=${filter.replace('/', '.')}:zero`);
        const message = `without ${filter}`;
        await expect.poll(() => difference(ablations[filter]), { interval: 20, message }).toBeLessThanOrEqual(1e-4);
      }
      await goTo('');
      await expect.poll(() => difference(logits[0])).toBeLessThanOrEqual(1e-4);
      await checkAblations(page, ablations, firstAndLast(Object.keys(ablations)));
      expect(await difference(logits[0])).toBeLessThanOrEqual(1e-4);
    });
  });
});
