// Learning by step: the button on the first screen plays it, and each stop is the network at that step.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { click, largestDifference, logitsOf } from './bench';
import { inEachBrowser, visit } from './open';
import { expectedOf, pagePath } from './reports';

const folder = inject('reports');
const path = pagePath(folder, 'mnist');
const textOfMoment = (page: Page) => page.$eval('.epochs .told', (element) => element.textContent);
const position = (page: Page) => page.$eval('.epochs input', (slider) => Number((slider as HTMLInputElement).value));

inEachBrowser((browser) => {
  test('each of the first steps has the weights and the accuracy that Python has there', async () => {
    const { snapshots } = expectedOf(folder, 'mnist');
    expect(snapshots.map(({ step }) => step)).toEqual([0, 1, 3, 10, 30, 100, 300]);
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      await page.waitForSelector('.epochs input');
      await page.focus('.epochs input');
      await page.keyboard.press('Home');
      for (const { step, accuracy, logits } of snapshots) {
        await expect.poll(() => textOfMoment(page)).toMatch(step === 0 ? /^Untrained/ : new RegExp(`^Step ${step} `));
        expect(await textOfMoment(page)).toMatch(
          new RegExp(`test ${(100 * accuracy).toFixed(1)} %\\s*of 1,000 images`),
        );
        expect(largestDifference(await logitsOf(page), logits)).toBeLessThan(1e-5);
        await page.keyboard.press('ArrowRight');
      }
    });
  });

  test('the button plays from untrained to trained, and every part follows', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      await page.waitForSelector('.epochs input');
      const trained = await logitsOf(page);
      const last = await position(page);
      await click(page, '[data-play]');
      await expect.poll(() => position(page)).toBe(1);
      const [early, curve] = [
        await logitsOf(page),
        await page.$eval('.epochs path:not(.ahead)', (drawn) => drawn.outerHTML),
      ];
      expect(early).not.toEqual(trained);
      await expect.poll(() => position(page), { timeout: 20_000 }).toBe(last);
      await expect.poll(() => logitsOf(page)).toEqual(trained);
      const whole = await page.$eval('.epochs path:not(.ahead)', (drawn) => drawn.outerHTML);
      expect(whole.length).toBeGreaterThan(curve.length); // it has grown
      await expect.poll(() => page.$eval('[data-play]', (button) => button.textContent)).toContain('Watch it learn');
    });
  });
});
