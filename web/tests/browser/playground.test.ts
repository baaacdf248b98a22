// The page without a run: an untrained network that learns from all of MNIST in the page.
import { expect, inject, test } from 'vitest';
import { click, logitsOf, openTab, pause, tabsOf } from './bench';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'playground');

inEachBrowser((browser) => {
  test('the button on the first screen trains the network, whose curve grows and can be played again', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      await page.waitForSelector('[data-parity="good"]');
      await click(page, '[data-play]');
      const stops = () => page.$eval('.epochs input', (slider) => Number((slider as HTMLInputElement).max));
      await expect.poll(() => page.$('.epochs input'), { timeout: 60_000 }).not.toBeNull();
      const earlier = await stops();
      // Each stop takes about three times the steps of the one before: one more is enough to see the curve grow.
      await expect.poll(stops, { timeout: 60_000 }).toBeGreaterThan(earlier);
      const largest = async () => Math.max(...(await logitsOf(page)));
      await expect.poll(largest, { timeout: 60_000 }).toBeGreaterThan(2);
      await click(page, '[data-play]');
      await page.waitForSelector('.train[data-state="paused"]');
      await page.focus('.epochs input');
      await page.keyboard.press('Home');
      await expect.poll(largest).toBeLessThan(2); // a network that has not learned is not sure
      expect(await page.$eval('.epochs .told', (text) => text.textContent)).toContain('of 1,000 images');
    });
  });

  test('shows an untrained network, claims nothing of it, and trains it on all images', async () => {
    await visit(browser(), path, {}, async ({ page }) => {
      await page.waitForSelector('[data-parity="good"]');
      const header = await page.$eval('header', (element) => (element as HTMLElement).innerText);
      expect(header).toContain('Untrained');
      expect(header).not.toContain('%');
      expect(header).not.toContain('Report');
      for (const tab of await tabsOf(page)) await openTab(page, tab);
      await openTab(page, 'train');
      await page.waitForSelector('.train .main:not(:disabled)');
      expect(await page.$eval('.embedded', (text) => text.textContent)).toContain('all 60,000 training images');
      await click(page, '.train .main');
      const accuracy = () => page.$eval('.train', (train) => Number((train as HTMLElement).dataset.accuracy));
      await expect.poll(accuracy, { timeout: 60_000 }).toBeGreaterThan(0.8);
      await pause(page);
    });
  });
});
