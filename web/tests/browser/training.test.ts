// A network that trains in the page.
import { expect, inject, test } from 'vitest';
import { click, logitsOf, openTab } from './bench';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');
const CHANCE = 0.1;

inEachBrowser((browser) => {
  test('a fresh network learns in the page, pauses, and leaves the bench again', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      const trained = await logitsOf(page);
      const state = () =>
        page.$eval('.train', (train) => {
          const { state, step, accuracy } = (train as HTMLElement).dataset;
          return { state, step: Number(step), accuracy: Number(accuracy) };
        });
      await openTab(page, 'train');
      await click(page, '.train .main');
      await expect.poll(async () => (await state()).accuracy, { timeout: 60_000 }).toBeGreaterThan(5 * CHANCE);
      expect(await logitsOf(page)).not.toEqual(trained); // it stands on the bench while it learns
      if ((await state()).state === 'running') {
        await click(page, '.train .main');
        await page.waitForSelector('.train:is([data-state="paused"], [data-state="done"])');
      }
      const { step, accuracy } = await state();
      expect(step).toBeGreaterThan(5);
      expect(accuracy).toBeGreaterThan(5 * CHANCE);
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect((await state()).step).toBe(step);
      await page.$$eval('.train .buttons button', (buttons) => {
        const back = buttons.find((button) => button.textContent?.includes('Back to the trained model'));
        (back as HTMLButtonElement).click();
      });
      await expect.poll(() => logitsOf(page)).toEqual(trained);
    });
  });
});
