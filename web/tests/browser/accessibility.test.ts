// What axe-core finds wrong with each instrument open, what keys reach, and what is spoken.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { drawing } from '../symbols';
import { packStrokes } from '../../src/state/strokes';
import { launch } from '../../tools/browsers.mjs';
import { axeFindings, GRAVE } from './axe';
import { answerOf, click, draw, hover, layersOf, lensOf, openTab, tabsOf } from './bench';
import { coveredControls, walkByKeys } from './keyboard';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');
const FRAGMENT = '#bench?i=0&c=conv2d_1.12.4.7&l=conv2d.3:zero'; // something held, something switched off
const SIZE = { width: 1280, height: 720 };
const HALF = { width: 640, height: 360, deviceScaleFactor: 2 }; // the same window at 200 %

// How the page is looked at, and what is wrong with a part of it then.
type Look = (page: Page, part: string) => Promise<string[]>;

const inTheme =
  (theme: 'light' | 'dark', only?: string[]): Look =>
  async (page, part) => {
    await page.$eval(`#theme-${theme}`, (input) => (input as HTMLInputElement).click());
    return axeFindings(page, part, GRAVE, only);
  };
const withForcedColours: Look = async (page, part) => {
  const forced = await page.evaluate(() => {
    // Chromium paints text in the forced colour, but names the page's own as that of its filling, which axe looks at.
    for (const one of document.querySelectorAll<HTMLElement>('button')) {
      const { color, webkitTextFillColor } = getComputedStyle(one);
      if (color !== webkitTextFillColor) one.style.webkitTextFillColor = color;
    }
    return matchMedia('(forced-colors: active)').matches;
  });
  return forced ? axeFindings(page, part, GRAVE, ['color-contrast']) : ['colours are not forced'];
};
const atTwiceTheSize: Look = async (page, part) => {
  await page.setViewport(HALF);
  // Of the report, whose text flows as it does on a telephone, the width alone.
  const looked = part === 'html' ? 'header' : part;
  const found = [...(await axeFindings(page, looked, GRAVE)), ...(await coveredControls(page, looked))];
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (wide > room) found.push(`${wide} pixels wide`);
  await page.setViewport(SIZE);
  return found;
};

// The report with all its folds open, each instrument, the list of lessons, one of them, and a trained network of the
// reader's own.
async function wrongWithEachPart(page: Page, looks: Record<string, Look>): Promise<string[]> {
  const found: string[] = [];
  async function look(stage: string, part: string): Promise<void> {
    for (const [name, look] of Object.entries(looks))
      found.push(...(await look(page, part)).map((text) => `${stage}, ${name}: ${text}`));
  }
  await page.$$eval('main details', (all) => all.forEach((one) => ((one as HTMLDetailsElement).open = true)));
  await look('report', 'html');
  await page.$eval('main', (report) => report.remove()); // axe reads all of the document each time
  for (const tab of [...(await tabsOf(page)), 'time']) {
    if (tab === 'time') await click(page, '[data-tool="time"]');
    else await openTab(page, tab as 'how');
    await new Promise((resolve) => setTimeout(resolve, 1000)); // what is computed in slices is there
    await look(tab, '#panel');
  }
  await click(page, '[data-lessons]');
  await look('lessons', '.lesson');
  await click(page, '[data-open-lesson="convolution"]');
  await look('lesson', '.lesson');
  await trainOwnClasses(page);
  await look('trained', '#bench');
  return found;
}

async function trainOwnClasses(page: Page): Promise<void> {
  for (const [i, symbol] of ['antenna', 'gate'].entries()) {
    for (const n of [0, 1]) {
      await page.evaluate((hash) => (location.hash = hash), `#bench?t=yours&d=${packStrokes(drawing(symbol, n))}`);
      await page.waitForSelector('[data-own-class] .add:enabled');
      await page.$$eval('[data-own-class] .add', (all, i) => (all[i] as HTMLButtonElement).click(), i);
    }
  }
  await click(page, '.own .main');
  await page.waitForSelector('.own[data-state="done"]');
}

inEachBrowser((browser, name) => {
  test('nothing serious in both themes and at 200 %, whatever is open', async () => {
    await visit(browser(), path, { ...SIZE, fragment: FRAGMENT }, async ({ page }) => {
      const looks = { dark: inTheme('dark', ['color-contrast']), light: inTheme('light'), zoomed: atTwiceTheSize };
      expect(await wrongWithEachPart(page, looks)).toEqual([]);
    });
  });

  test('nothing serious with forced colours, and bars, legends and what is chosen can be seen', async () => {
    // Firefox takes them from its preferences, Chromium from its debugger.
    const own = name === 'firefox' ? await launch(name, { 'browser.display.document_color_use': 2 }) : null;
    try {
      await visit(own ?? browser(), path, { ...SIZE, fragment: FRAGMENT }, async ({ page }) => {
        if (own === null) {
          const session = await page.createCDPSession();
          await session.send('Emulation.setEmulatedMedia', { features: [{ name: 'forced-colors', value: 'active' }] });
        }
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
        expect(await wrongWithEachPart(page, { forced: withForcedColours })).toEqual([]);
      });
    } finally {
      await own?.close();
    }
  });

  test.each(['how', 'yours'])('keys alone reach everything of the first screen with %s open', async (tab) => {
    await visit(browser(), path, { ...SIZE, fragment: `#bench?i=0&t=${tab}` }, async ({ page }) => {
      expect(await walkByKeys(page, 'header, #bench')).toEqual({ covered: [], missed: [] });
      // Arrow keys went one cell to the right from the middle of the first map.
      if (tab === 'how') expect((await lensOf(page)).cell).toBe('conv2d 0 13 14');
    });
  });

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

  test('the answer is spoken once it rests, of an image and of a drawing, and nothing is at each move', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0&c=conv2d.3.4.5' }, async ({ page }) => {
      const spoken = () => page.$eval('.answer [aria-live="polite"]', (one) => one.textContent ?? '');
      await expect.poll(spoken).toMatch(/^The network answers 7, [\d.<> ]+ %, correct\.$/);
      await page.evaluate(() => {
        const seen = ((window as unknown as { said: string[] }).said = [] as string[]);
        for (const region of document.querySelectorAll('[aria-live], [role="status"]'))
          new MutationObserver(() => seen.push(region.textContent ?? '')).observe(region, {
            subtree: true,
            characterData: true,
            childList: true,
          });
      });
      const said = () => page.evaluate(() => (window as unknown as { said: string[] }).said.splice(0));
      await click(page, '.examples .example:nth-child(2)');
      await expect.poll(spoken).toMatch(/^The network answers 2,/);
      expect(await said()).toEqual([await spoken()]);

      await page.keyboard.press('Escape'); // lets the held cell go
      const [input, first] = await layersOf(page);
      for (const maps of [input, first]) await hover(page, maps, { map: 0, row: 3, column: 3 });
      await expect.poll(async () => (await lensOf(page)).cell).toBe('conv2d 0 3 3');
      expect((await said()).join('')).toBe('');

      await page.mouse.down();
      await page.mouse.up();
      await expect.poll(said).toEqual([expect.stringContaining('row 3')]);
      await click(page, '.pad button[title^="Clear"]');
      await draw(page, [
        [
          [0.5, 0.2],
          [0.5, 0.8],
        ],
      ]);
      await expect.poll(() => answerOf(page)).toBe(1);
      await expect.poll(spoken).toMatch(/^The network answers 1,/);
      // The empty pad may be spoken too where the machine is slow.
      expect((await said()).length).toBeLessThanOrEqual(2);
    });
  });
});
