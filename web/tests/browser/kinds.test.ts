// The same page with other data and networks: nothing in it knows MNIST or cnn.
import { expect, inject, test } from 'vitest';
import { checkArithmetic, click, largestDifference, logitsOf, openTab, tabsOf } from './bench';
import { checkAblations, firstAndLast } from './ablations';
import { inEachBrowser, inOnePage } from './open';
import { existingReports, expectedOf, pagePath } from './reports';

const folder = inject('reports');
const KINDS = existingReports(folder, ['fashion', 'letters', 'hostile', 'ann']);
const FARTHEST = existingReports(folder, ['letters', 'hostile']); // from MNIST and cnn; both browsers run the same page and engine

inEachBrowser((browser, browserName) => {
  for (const name of browserName === 'firefox' ? FARTHEST : KINDS) {
    inOnePage(browser, pagePath(folder, name), (goTo) => {
      test('computes what Python computed', async () => {
        const { class_names, logits } = expectedOf(folder, name);
        const page = await goTo({ fragment: '#bench?i=0' });
        await page.waitForSelector('[data-parity="good"]');
        for (const [index, row] of logits.entries()) {
          await page.evaluate((i) => (location.hash = `#bench?i=${i}`), index);
          const difference = async () => largestDifference(await logitsOf(page), row);
          await expect.poll(difference).toBeLessThanOrEqual(1e-4);
          const answer = await page.$eval('[data-answer] .name', (element) => element.textContent);
          expect(answer).toBe(class_names[row.indexOf(Math.max(...row))]);
        }
      });

      test('without the first and last filter of each layer gives the logits that Python gives', async () => {
        const { logits, ablations } = expectedOf(folder, name);
        const filters = firstAndLast(Object.keys(ablations));
        expect(filters.length).toBeGreaterThanOrEqual(4);
        const page = await goTo({ fragment: '#bench?i=0' });
        await checkAblations(page, ablations, filters);
        expect(largestDifference(await logitsOf(page), logits[0])).toBeLessThanOrEqual(1e-4);
      });

      test('writes out the arithmetic of every layer, and it adds up', async () => {
        const options = { width: 1600, height: 1100, fragment: '#bench?i=1' };
        const page = await goTo(options);
        await checkArithmetic(page);
      });

      test('has all its instruments, on a telephone too', async () => {
        const page = await goTo({ width: 360, height: 740 });
        const tabs = await tabsOf(page);
        const single = name === 'ann' ? [] : ['models'];
        expect(tabs).toEqual(['how', 'filter', 'ablations', 'why', ...single, 'train', 'step', 'yours']);
        for (const tab of tabs) {
          await openTab(page, tab);
          const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          expect(wide, tab).toBeLessThanOrEqual(room);
        }
      });

      test('trains a fresh network for a step', async () => {
        const page = await goTo();
        await openTab(page, 'train');
        const before = await logitsOf(page);
        await click(page, '.train .buttons button:nth-of-type(2)');
        await page.waitForSelector('.train[data-state="paused"][data-step="1"]');
        await expect.poll(() => logitsOf(page)).not.toEqual(before);
        await click(page, '.train .buttons button:nth-of-type(3)');
        await page.waitForSelector('.train[data-state="idle"]');
        await expect.poll(() => logitsOf(page)).toEqual(before);
      });
    });
  }
});
