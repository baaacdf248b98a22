// Ablations of cnn in the page against the same ablations in Python; kinds.test.ts has those of the other networks.
import { expect, inject, test } from 'vitest';
import { largestDifference, logitsOf } from './bench';
import { checkAblations, firstAndLast } from './ablations';
import { inEachBrowser, visit } from './open';
import { expectedOf, pagePath } from './reports';

const folder = inject('reports');

inEachBrowser((browser, name) => {
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
