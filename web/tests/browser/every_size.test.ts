// The first screen of small and large networks at the sizes that windows have: what stands in sight, and that nothing is cut.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { boxOf, isInSight, lensOf, openTab, type Box } from './bench';
import { inEachBrowser, inOnePage, resize, visit, type GoTo } from './open';
import { existingReports, pagePath, type ReportName } from './reports';

const folder = inject('reports');
const LANGUAGES = ['en', 'de', 'fr', 'es', 'zh-CN'];
const SIZES = [
  [1366, 625], // a laptop of 1366 × 768 below the bars of a browser
  [1265, 625],
  [1100, 625],
  [900, 625], // the cell of a notebook
];
const ANYWHERE = 1e6; // below the window, too
const SLACK = 2; // pixels that text may reach over its box, as glyphs do

// Shows the page in this language.
async function speak(page: Page, language: string): Promise<void> {
  await page.select('.languages select', language);
  await page.waitForFunction((language) => document.documentElement.lang === language, {}, language);
  await resize(page, page.viewport()!);
}

// Finds texts of the header and the first screen that reach out of the window or of a box that cuts them. Lists that scroll
// are left out: the classes, the maps by their contribution, and the tabs; and a sentence that is hidden where it has no
// room.
const cutTexts = (page: Page, bottom: number): Promise<string[]> =>
  page.evaluate(
    (bottom, slack) => {
      const cut: string[] = [];
      for (const part of document.querySelectorAll('header, .lead, .pad, .strip, .answer, .lens, .epochs')) {
        const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
          const element = node.parentElement!;
          if (node.textContent!.trim() === '' || !element.checkVisibility({ visibilityProperty: true })) continue;
          if (element.closest('.spoken, .hidden, .channels, .classes, .list, select, .run, .gone, .lead span') !== null)
            continue;
          const range = document.createRange();
          range.selectNodeContents(node);
          const text = range.getBoundingClientRect();
          if (text.width === 0) continue;
          let isCut = text.left < -slack || text.right > innerWidth + slack || text.bottom > bottom + slack;
          for (let box: Element | null = element; box !== null && box !== document.body; box = box.parentElement) {
            const { overflow, clipPath } = getComputedStyle(box);
            if (clipPath !== 'none') isCut = false; // only a screen reader gets it
            if (clipPath !== 'none') break;
            if (overflow === 'visible') continue;
            const { left, right, top, bottom } = box.getBoundingClientRect();
            isCut ||= text.left < left - slack || text.right > right + slack;
            isCut ||= text.top < top - slack || text.bottom > bottom + slack;
          }
          if (isCut) cut.push(node.textContent!.trim());
        }
      }
      return cut;
    },
    bottom,
    SLACK,
  );

const boxesOf = (page: Page, selector: string): Promise<Box[]> =>
  page.$$eval(selector, (all) =>
    all.map((element) => {
      const { left, top, right, bottom } = element.getBoundingClientRect();
      return { left, top, right, bottom };
    }),
  );

const isWithin = (inner: Box, outer: Box) =>
  inner.left >= outer.left - 1 &&
  inner.top >= outer.top - 1 &&
  inner.right <= outer.right + 1 &&
  inner.bottom <= outer.bottom + 1;

// Every layer of the network but a Branch, which is drawn as lines, has a column in the strip, and they do not overlap.
async function expectAllLayers(page: Page, where: string): Promise<void> {
  const kinds = await page.$eval('#payload', (script) => {
    const payload = JSON.parse(script.textContent ?? '') as { model: { architecture: { layers: { kind: string }[] } } };
    return payload.model.architecture.layers.map(({ kind }) => kind);
  });
  const [strip, columns] = [await boxOf(page, '.strip'), await boxesOf(page, '.strip [data-column]')];
  expect(columns, where).toHaveLength(1 + kinds.filter((kind) => kind !== 'Branch').length);
  for (const column of columns) expect(isWithin(column, strip), where).toBe(true);
  for (const canvas of await boxesOf(page, '.strip canvas')) expect(isWithin(canvas, strip), where).toBe(true);
  const [wide, room] = await page.$eval('.strip', (strip) => [strip.scrollWidth, strip.clientWidth]);
  expect(wide, where).toBeLessThanOrEqual(room + 1);
}

// The first two convolutions: the second one reads several maps.
const convolutions = (page: Page): Promise<string[]> =>
  page.$$eval('#payload', ([script]) => {
    const payload = JSON.parse(script.textContent ?? '') as {
      model: { architecture: { layers: { kind: string; name: string }[] } };
    };
    return payload.model.architecture.layers
      .filter(({ kind }) => kind === 'Conv2D')
      .map(({ name }) => name)
      .slice(0, 2);
  });

function testSizes(goTo: GoTo, languages: string[]): void {
  test.each(SIZES)(
    'at %i × %i pad, every layer, answer and lens are in sight, and nothing is cut',
    async (width, height) => {
      const page = await goTo({ width, height, fragment: '#bench?i=0' });
      for (const language of languages) {
        await speak(page, language);
        for (const part of ['header', '.pad canvas', '.answer .name', '.strip', '.lens', '.work', '.epochs'])
          expect(await isInSight(page, part), `${language} ${part}`).toBe(true);
        await expectAllLayers(page, language);
        const epochs = await boxOf(page, '.bench > .epochs');
        expect((await boxOf(page, '.lens')).bottom, language).toBeLessThanOrEqual(epochs.top + 1);
        const classes = await page.$$('.classes li[class=""], .classes li:not(.columns)');
        if (classes.length <= 10) expect(await isInSight(page, '.classes li:last-child'), language).toBe(true);
        expect(await cutTexts(page, height), language).toEqual([]);
      }
      await speak(page, 'en');
    },
  );

  test.each(SIZES)('at %i × %i the lens shows window × kernel = sum', async (width, height) => {
    const page = await goTo({ width, height, fragment: '#bench?i=0' });
    for (const layer of await convolutions(page)) {
      await page.evaluate((hash) => (location.hash = hash), `#bench?i=0&c=${layer}.1.4.5`);
      await expect.poll(async () => (await lensOf(page)).cell).toBe(`${layer} 1 4 5`);
      await resize(page, { width, height });
      const work = await boxOf(page, '.work');
      const grids = await boxesOf(page, '.work .grid');
      const kernels = await page.$$eval('.work .sign', (signs) =>
        signs.filter(({ textContent }) => textContent === '×'),
      );
      expect([grids.length, kernels.length], layer).toEqual([2, 1]);
      for (const part of [...grids, await boxOf(page, '.work .sums'), await boxOf(page, '.work figure:last-child')])
        expect(isWithin(part, work), layer).toBe(true);
      const { sum, value } = await lensOf(page);
      expect(Math.abs(sum - value)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(value)));
      expect(await cutTexts(page, height), layer).toEqual([]);
    }
  });
}

inEachBrowser((browser, browserName) => {
  const isWhole = browserName === 'chromium';
  const names: ReportName[] = isWhole ? ['mnist', 'residual', 'inception', 'colour', 'wide'] : ['inception'];
  for (const name of existingReports(folder, names)) {
    inOnePage(browser, pagePath(folder, name), (goTo) => {
      testSizes(goTo, isWhole ? LANGUAGES : ['en', 'de']);

      test('in a window that is zoomed to 200 % nothing lies over the pad, and nothing is cut', async () => {
        const page = await goTo({ width: 640, height: 360, fragment: '#bench?i=0' });
        for (const language of isWhole ? LANGUAGES : ['en', 'de']) {
          await speak(page, language);
          await page.evaluate(() => scrollTo(0, 0));
          expect(await isInSight(page, '.pad .paper'), language).toBe(true);
          expect(await isInSight(page, '.answer .name'), language).toBe(true);
          await expectAllLayers(page, language);
          expect(await cutTexts(page, ANYWHERE), language).toEqual([]);
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(640);
          // What one scrolls to has the whole window.
          await page.$eval('.strip', (strip) => strip.scrollIntoView({ block: 'center', behavior: 'instant' }));
          expect(await isInSight(page, '.strip'), language).toBe(true);
          for (const bar of ['header', '.bench > .epochs'])
            expect(await page.$eval(bar, (element) => getComputedStyle(element).position)).toBe('static');
        }
        await speak(page, 'en');
      });

      if (isWhole)
        test.each([
          [1366, 625, 0.38],
          [1366, 720, 0.45],
        ])('at %i × %i an opened instrument has %f of the window, below all layers', async (width, height, share) => {
          const page = await goTo({ width, height, fragment: '#bench?i=0' });
          await openTab(page, 'train');
          await page.evaluate(() => scrollTo(0, 0));
          await resize(page, { width, height });
          const [panel, epochs] = [await boxOf(page, '.panel'), await boxOf(page, '.bench > .epochs')];
          expect(epochs.top - panel.top).toBeGreaterThan(share * height);
          expect(await isInSight(page, '.pad canvas')).toBe(true);
          await expectAllLayers(page, '');
        });
    });

    if (isWhole)
      test(`on a telephone ${name} has pad, answer, layers and the sum of a cell on its first screen, for fingers`, async () => {
        const options = { width: 360, height: 780, fragment: '#bench?i=0' };
        await visit(browser(), pagePath(folder, name), options, async ({ page }) => {
          await page.setViewport({ width: 360, height: 780, hasTouch: true }); // opens the page anew
          await page.waitForSelector('html[data-ready]');
          for (const language of LANGUAGES) {
            await speak(page, language);
            expect(await isInSight(page, '.pad .paper'), language).toBe(true);
            expect(await isInSight(page, '.answer .name'), language).toBe(true);
            const [pad, answer] = [await boxOf(page, '.pad .paper'), await boxOf(page, '.answer .name')];
            expect(pad.right - pad.left, language).toBeGreaterThanOrEqual(180);
            expect(answer.left, language).toBeGreaterThan(pad.right);
            expect((await boxOf(page, '.classes')).bottom, language).toBeLessThanOrEqual(pad.bottom + 8);
            await expectAllLayers(page, language);
            // The window, the kernel and their sum stand above the line of the epochs, also for a cell that is held.
            for (const cell of ['', `&c=${(await convolutions(page))[0]}.1.14.5`]) {
              await page.evaluate((hash) => (location.hash = hash), `#bench?i=0${cell}`);
              await page.waitForFunction(
                (held) => (document.querySelector('.lens.held') !== null) === held,
                {},
                cell !== '',
              );
              const [epochs, sums] = [await boxOf(page, '.bench > .epochs'), await boxOf(page, '.work .sums')];
              const grids = await boxesOf(page, '.work .grid');
              expect(grids, language).toHaveLength(2);
              for (const box of [await boxOf(page, '.strip'), ...grids, sums])
                expect(box.bottom, `${language} ${cell}`).toBeLessThanOrEqual(epochs.top + 1);
            }
            await page.evaluate(() => (location.hash = '#bench?i=0'));
            await page.waitForSelector('.lens:not(.held)');
            expect(await cutTexts(page, ANYWHERE), language).toEqual([]);
            expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
          }
          await speak(page, 'en');
          for (const tab of ['how', 'train', 'why', 'ablations'] as const) {
            await openTab(page, tab);
            const panel = await boxOf(page, '.panel');
            if (tab !== 'how') expect(panel.top, tab).toBeLessThan(200);
            expect(await smallTargets(page), tab).toEqual([]);
          }
        });
      });
  }
});

// Finds controls of the header and the first screen that are too small for a finger.
const smallTargets = (page: Page): Promise<string[]> =>
  page.$$eval(':is(header, #bench) :is(a, button, select, summary, input, label:has(input))', (controls) =>
    controls.flatMap((control) => {
      const style = getComputedStyle(control);
      const { width, height } = control.getBoundingClientRect();
      const isSeen = control.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && width > 1;
      // A label around an input is the target.
      if (!isSeen || style.pointerEvents === 'none' || style.clipPath !== 'none' || control.matches('label input'))
        return [];
      const name = control.getAttribute('aria-label') ?? control.textContent ?? '';
      return width < 43.5 || height < 43.5 ? [`${name.trim()} ${Math.round(width)} × ${Math.round(height)}`] : [];
    }),
  );
