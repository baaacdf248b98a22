// 16 layers and 100 classes: boxes that are too small scroll, the page never does, and the held cell is never hidden.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { predictionOf, boxOf, draw, hover, isInSight, layersOf, lensOf } from './bench';
import { inEachBrowser, visit } from './open';
import { expectedOf, pagePath } from './reports';

const folder = inject('reports');
const path = pagePath(folder, 'wide');
const SCREENS = [
  [1280, 720],
  [1920, 1080],
];
const TELEPHONE = [390, 844];
const fragment = '#bench?i=0';

const isScrolledSideways = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth || scrollX > 0);

// True if the held cell is in the visible part of the flow.
const isHeldShown = (page: Page): Promise<boolean> =>
  page.$eval('.strip', (strip) => {
    const held = strip.querySelector('path.frame.held')?.getBoundingClientRect();
    if (held === undefined) return false;
    const { left, top } = strip.getBoundingClientRect();
    const [right, bottom] = [left + strip.clientWidth, top + strip.clientHeight];
    // Firefox counts the stroke of the frame too, 4 pixels.
    return held.left >= left - 5 && held.right <= right + 5 && held.top >= top - 5 && held.bottom <= bottom + 5;
  });

// True if the predicted class is visible in the list, between its head and its button where they stay in sight, and the
// list is in the window.
const isPredictionListed = (page: Page): Promise<boolean> =>
  page.$eval('.answer .classes', (list) => {
    const parts = ['.columns', '.chosen', '.more'].map((element) =>
      list.querySelector(element)!.getBoundingClientRect(),
    );
    const [head, row, more] = parts;
    const { top, bottom } = list.getBoundingClientRect();
    const isBetween = row.top >= Math.max(top, head.bottom) - 1 && row.bottom <= Math.min(bottom, more.top) + 1;
    return top >= 0 && bottom <= innerHeight && isBetween;
  });

async function expectHeld(page: Page, cell: string): Promise<void> {
  await expect.poll(async () => (await lensOf(page)).cell).toMatch(cell);
  await expect.poll(() => isHeldShown(page), { message: cell }).toBe(true);
  expect(await isScrolledSideways(page), cell).toBe(false);
}

// The held cell is in sight however it is chosen: by the address, by keys and by the pointer.
async function checkHeldCells(page: Page, width: number): Promise<void> {
  const [within, room] = await page.$eval('.strip', (strip) => [strip.scrollWidth, strip.clientWidth]);
  expect(within).toBeLessThanOrEqual(room + 1);
  expect(await isScrolledSideways(page)).toBe(false);
  const layers = await layersOf(page);
  expect(layers.length).toBeGreaterThan(10);
  const firstScreen = ['.pad canvas', '.answer .name', '.answer li:nth-child(4)'];
  if (width !== TELEPHONE[0]) firstScreen.push('.strip', '.lens', '.epochs');

  for (const at of [1, Math.floor(layers.length / 2), layers.length - 1]) {
    const maps = layers[at];
    const last = { map: maps.shown - 1, row: maps.rows - 1, column: maps.columns - 1 };
    const cell = [maps.layer, last.map, last.row, last.column];
    await page.evaluate((hash) => (location.hash = hash), `${fragment}&c=${cell.join('.')}`);
    await expectHeld(page, cell.join(' '));
    for (const part of [...firstScreen, '.answer .chosen']) expect(await isInSight(page, part), part).toBe(true);
    await page.evaluate((hash) => (location.hash = hash), fragment);
    await expect.poll(() => page.$('.lens.held')).toBeNull();
  }

  // From the middle of the first layer through all of them, and back by a click.
  await page.focus('.strip [role="application"][tabindex="0"]');
  await page.keyboard.press('ArrowRight');
  for (const { layer } of layers.slice(1)) {
    if (layer !== layers[1].layer) await page.keyboard.press(']');
    await expect.poll(async () => (await lensOf(page)).cell.split(' ')[0]).toBe(layer);
    await expect.poll(() => isHeldShown(page), { message: layer }).toBe(true);
  }
  expect(await isScrolledSideways(page)).toBe(false);
  for (const at of [layers.length - 1, Math.floor(layers.length / 2), 1]) {
    await page.keyboard.press('Escape');
    await expect.poll(() => page.$('.lens.held')).toBeNull();
    const [row, column] = [layers[at].rows, layers[at].columns].map((count) => Math.floor(count / 2));
    await hover(page, layers[at], { map: 0, row, column });
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForSelector('.lens.held');
    await expectHeld(page, `${layers[at].layer} 0 `); // a cell can be smaller than what the browser rounds to
    if (width !== TELEPHONE[0]) for (const part of firstScreen) expect(await isInSight(page, part), part).toBe(true);
  }
}

async function checkClassList(page: Page): Promise<void> {
  const answers = expectedOf(folder, 'wide').logits.map((row) => row.indexOf(Math.max(...row)));
  const boxes = () => Promise.all(['.answer', '.panel', '.flow'].map((part) => boxOf(page, part)));
  const before = await boxes();
  await page.$eval('.answer .more', (button) => (button as HTMLButtonElement).click());
  await expect.poll(() => page.$$eval('[data-class]', (rows) => rows.length)).toBe(100);
  const [all, room] = await page.$eval('.answer .classes', (list) => [list.scrollHeight, list.clientHeight]);
  expect(all).toBeGreaterThan(2 * room);
  expect(await boxes()).toEqual(before);
  for (const [index, answer] of answers.entries()) {
    await page.evaluate((hash) => (location.hash = hash), `#bench?i=${index}`);
    await expect.poll(() => predictionOf(page)).toBe(answer);
    await expect.poll(() => isPredictionListed(page), { message: String(answer) }).toBe(true);
  }
  expect(await isScrolledSideways(page)).toBe(false);
  await page.$eval('.answer .more', (button) => (button as HTMLButtonElement).click());
  await expect.poll(() => isPredictionListed(page)).toBe(true);
  expect(await boxes()).toEqual(before);
}

inEachBrowser((browser, name) => {
  // The large screen in one browser. A page for each size, since opening one takes seconds; and not one for all: a size that changes may move what is pressed.
  test.each([...(name === 'firefox' ? SCREENS.slice(0, 1) : SCREENS), TELEPHONE])(
    'at %i × %i all classes scroll within their box, and a held cell shows',
    async (width, height) => {
      await visit(browser(), path, { width, height, fragment }, async ({ page }) => {
        await checkClassList(page);
        await page.evaluate((hash) => (location.hash = hash), fragment);
        await checkHeldCells(page, width);
      });
    },
  );

  test('on a telephone drawing moves neither the answer nor what lies below it', async () => {
    const [width, height] = TELEPHONE;
    await visit(browser(), path, { width, height, fragment }, async ({ page }) => {
      const boxes = () => Promise.all(['.answer', '.panel'].map((part) => boxOf(page, part)));
      const before = await boxes();
      await draw(page, [
        [
          [0.3, 0.2],
          [0.7, 0.8],
        ],
      ]);
      await expect.poll(() => page.url()).toContain('d=');
      expect(await boxes()).toEqual(before);
      for (const part of ['.pad canvas', '.answer .name']) expect(await isInSight(page, part), part).toBe(true);
      expect(await isPredictionListed(page)).toBe(true);
    });
  });
});
