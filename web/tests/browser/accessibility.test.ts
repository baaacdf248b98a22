// What axe-core finds wrong, in both themes and with each instrument open.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { axeFindings, GRAVE } from './axe';
import { answerOf, click, draw, openTab, tabsOf } from './bench';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');
const FRAGMENT = '#bench?i=0&c=conv2d_1.12.4.7&l=conv2d.3:zero'; // something held, something switched off

const grave = (page: Page, part: string) => axeFindings(page, part, GRAVE);

async function graveWithEachInstrument(page: Page): Promise<string[]> {
  const found = await grave(page, 'html');
  for (const tab of await tabsOf(page)) {
    await openTab(page, tab);
    await new Promise((resolve) => setTimeout(resolve, 1000)); // what is computed in slices is there
    found.push(...(await grave(page, '#bench')).map((text) => `${tab}: ${text}`));
  }
  return found;
}

// The elements are the same in every browser.
inEachBrowser(
  (browser) => {
    test.each(['light', 'dark'] as const)('nothing serious in the %s theme', async (theme) => {
      await visit(browser(), path, { theme, fragment: FRAGMENT }, async ({ page }) => {
        expect(await graveWithEachInstrument(page)).toEqual([]);
      });
    });

    test('with forced colours bars, legends and what is chosen can be seen', async () => {
      await visit(browser(), path, { fragment: '#bench?i=0&c=conv2d_1.12.4.7' }, async ({ page }) => {
        const session = await page.createCDPSession();
        await session.send('Emulation.setEmulatedMedia', { features: [{ name: 'forced-colors', value: 'active' }] });
        expect(await page.evaluate(() => matchMedia('(forced-colors: active)').matches)).toBe(true);
        const seen = await page.evaluate(() => {
          const canvas = getComputedStyle(document.body).backgroundColor;
          const styleOf = (selector: string) =>
            [...document.querySelectorAll(selector)].map((one) => getComputedStyle(one));
          const backgrounds = ['.answer .chosen .bar i', '.channels i', '.grid span', '.ticks i'].map((selector) => [
            selector,
            styleOf(selector).length > 0 && styleOf(selector).every((style) => style.backgroundColor !== canvas),
          ]);
          const [open] = styleOf('[data-tab][aria-selected="true"]').map((style) => style.borderBottomColor);
          const [other] = styleOf('[data-tab][aria-selected="false"]').map((style) => style.borderBottomColor);
          const [chosen, not] = ['.chosen', ':not(.chosen)'].map(
            (one) => styleOf(`.controls label${one}`)[0].backgroundColor,
          );
          return { backgrounds, tabs: open !== other, choice: chosen !== not };
        });
        expect(seen.backgrounds.filter(([, isSeen]) => !isSeen)).toEqual([]);
        expect(seen.tabs && seen.choice).toBe(true);
      });
    });

    test('nothing serious on a telephone', async () => {
      const telephone = { width: 360, height: 740 };
      await visit(browser(), path, { ...telephone, fragment: FRAGMENT }, async ({ page }) => {
        expect(await graveWithEachInstrument(page)).toEqual([]);
      });
    });
  },
  ['chromium'],
);

inEachBrowser((browser) => {
  test('one key skips the layers', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      await page.focus('.strip [data-column="input"] button');
      await page.keyboard.down('Shift');
      await page.keyboard.press('Tab');
      await page.keyboard.up('Shift');
      const focused = () => page.evaluate(() => (document.activeElement as HTMLElement).innerText);
      // Firefox gives the strip itself a stop, since it scrolls.
      if ((await focused()) !== 'Skip the layers') {
        await page.keyboard.down('Shift');
        await page.keyboard.press('Tab');
        await page.keyboard.up('Shift');
      }
      expect(await focused()).toBe('Skip the layers');
      expect(await page.$eval('.skip', (one) => one.getBoundingClientRect().width)).toBeGreaterThan(60);
      await page.keyboard.press('Enter');
      expect(await page.evaluate(() => document.activeElement!.id)).toBe('answer');
    });
  });

  test('the answer is spoken once the pen rests, and politely', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      const spoken = () => page.$eval('.answer [aria-live="polite"]', (one) => one.textContent ?? '');
      await expect.poll(spoken).toMatch(/^The network answers 7, [\d.<> ]+ %, correct\.$/);
      await page.evaluate(() => {
        const seen = ((window as unknown as { said: string[] }).said = [] as string[]);
        const region = document.querySelector('.answer [aria-live="polite"]')!;
        new MutationObserver(() => seen.push(region.textContent ?? '')).observe(region, {
          subtree: true,
          characterData: true,
          childList: true,
        });
      });
      await click(page, '.pad button[title^="Clear"]');
      await draw(page, [
        [
          [0.5, 0.2],
          [0.5, 0.8],
        ],
      ]);
      await expect.poll(() => answerOf(page)).toBe(1);
      await expect.poll(spoken).toMatch(/^The network answers 1,/);
      // Not at every move of the pen: the empty pad may be spoken too where the machine is slow.
      const said = await page.evaluate(() => (window as unknown as { said: string[] }).said);
      expect(said.length).toBeLessThanOrEqual(2);
    });
  });
});
