// The receptive field of a deep cell, layer by layer, in the lens and in the flow.
import { expect, inject, test } from 'vitest';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');

inEachBrowser((browser) => {
  test('the window of a cell grows from layer to layer until the image, and the flow frames the same layers', async () => {
    const options = { width: 1440, height: 900, fragment: '#bench?i=0&c=conv2d_1.12.4.7' };
    await visit(browser(), path, options, async ({ page }) => {
      await page.click('.swap'); // in place of the arithmetic
      // Moves the slider `back` layers back, and returns the frame that the lens names and the number of frames in the flow.
      const lookBack = async (back: number) => {
        await page.$eval(
          '.sees input',
          (input, to) => {
            (input as HTMLInputElement).value = String(to);
            input.dispatchEvent(new Event('input', { bubbles: true }));
          },
          back,
        );
        return page.evaluate(() => [
          document.querySelector<HTMLElement>('.sees')!.dataset.sees,
          document.querySelectorAll('.strip path.frame:not(.held)').length,
        ]);
      };
      expect(await page.$eval('.sees', (element) => (element as HTMLElement).dataset.sees)).toBe('input 8 8');
      // A 3 x 3 kernel reads 3 x 3 cells of the pooling, twice as many rows and columns before it, and 2 more in the image.
      expect(await lookBack(0)).toEqual(['conv2d_1 1 1', 0]);
      expect(await lookBack(1)).toEqual(['max_pooling2d 3 3', 1]);
      expect(await lookBack(2)).toEqual(['conv2d 6 6', 2]);
      expect(await lookBack(3)).toEqual(['input 8 8', 3]);
      await page.click('.sees button');
      await page.waitForSelector('.sees[data-sees="conv2d 6 6"]');
      await page.waitForSelector('.sees[data-sees="input 8 8"]');
    });
  });
});
