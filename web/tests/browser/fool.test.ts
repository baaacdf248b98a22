// Another prediction by a small change, and a morph.
import { expect, inject, test } from 'vitest';
import { axeFindings, GRAVE } from './axe';
import { openTab, predictionOf } from './bench';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');

inEachBrowser((browser, name) => {
  test('the search has the network of the answer, without the filters that are switched off', async () => {
    // Without the first convolution all images are the same to the network.
    await visit(browser(), path, { fragment: '#bench?i=0&l=conv2d:zero' }, async ({ page }) => {
      const answer = await predictionOf(page);
      expect(answer).not.toBe(7);
      await openTab(page, 'why');
      await page.waitForSelector('.fool[data-fooled]:not([data-fooled=""])');
      await expect
        .poll(() => page.$eval('.fool', (element) => (element as HTMLElement).dataset.fooled))
        .toBe(String(answer));
    });
  });

  test('a 7 becomes a 3 by the smallest change, and stays a 7 by less of it', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      await openTab(page, 'why');
      await page.waitForSelector('.fool[data-fooled]:not([data-fooled=""])');
      await page.select('.fool h3 select', '3');
      const answer = () => page.$eval('.fool', (element) => (element as HTMLElement).dataset.fooled);
      await expect.poll(answer).toBe('3');
      const slide = (to: number) =>
        page.$eval(
          '.fool .slider input',
          (input, value) => {
            (input as HTMLInputElement).value = String(value);
            input.dispatchEvent(new Event('input', { bubbles: true }));
          },
          to,
        );
      await slide(0.5);
      await expect.poll(answer).toBe('7');
      await slide(1);
      await expect.poll(answer).toBe('3');
      await page.waitForSelector('.fool .morph ~ .columns figure:nth-of-type(3)');
      if (name === 'chromium') expect(await axeFindings(page, '.fool', GRAVE)).toEqual([]);
    });
  });
});
