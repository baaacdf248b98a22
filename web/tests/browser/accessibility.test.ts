// The problems that axe-core finds with each instrument open, what keys reach, and what a screen reader reads.
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { drawing } from '../symbols';
import { packStrokes } from '../../src/state/strokes';
import { launch, type BrowserName } from '../../tools/browsers.mjs';
import { axeFindings, GRAVE, PAINTED } from './axe';
import { predictionOf, click, draw, hover, layersOf, lensOf, openTab, tabsOf, type Tab } from './bench';
import { coveredControls, passedOver, walkByKeys } from './keyboard';
import { inEachBrowser, visit } from './open';
import { pagePath, type ReportName } from './reports';

const reports = inject('reports');
const path = pagePath(reports, 'mnist');
const PAGES: ReportName[] = ['mnist', 'playground', 'prediction', 'experiment'];
const FRAGMENT = '#bench?i=0&c=conv2d_1.12.4.7&l=conv2d.3:zero'; // a held cell and an ablation
const SIZE = { width: 1280, height: 720 };
const HALF = { width: 640, height: 360, deviceScaleFactor: 2 }; // the same window at 200 %

// Selects an element that an instrument shows when it is ready.
const COMPUTED: Partial<Record<Tab, string>> = {
  filter: '.cost .note',
  ablations: '.ablations:not([data-running-accuracy=""])',
  why: '.fool [data-epsilon]',
  models: '#panel .image',
};

// Views the page in some way, and returns the problems of a part of it.
type Look = (page: Page, part: string) => Promise<string[]>;

const inTheme =
  (theme: 'light' | 'dark', rules?: string[]): Look =>
  async (page, part) => {
    await page.$eval(`#theme-${theme}`, (input) => (input as HTMLInputElement).click());
    return axeFindings(page, part, GRAVE, rules);
  };
const atTwiceTheSize =
  (rules?: string[]): Look =>
  async (page, part) => {
    await page.setViewport(HALF);
    const findings = [...(await axeFindings(page, part, GRAVE, rules)), ...(await coveredControls(page, part))];
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    if (wide > room) findings.push(`${wide} pixels wide`);
    await page.setViewport(SIZE);
    return findings;
  };
// Elements, their attributes and the colours of a theme are the same in every browser, and axe takes five times as long in
// Firefox: there it looks at what Firefox paints, in one theme.
const LOOKS: Record<BrowserName, Record<string, Look>> = {
  chromium: {
    dark: inTheme('dark', ['color-contrast']),
    light: inTheme('light'),
    'at 200 %': atTwiceTheSize(),
    // An instrument's headings stand among those of the page; its targets are 24 pixels large.
    order: async (page, part) => [
      ...(await axeFindings(page, 'html', undefined, ['heading-order'])),
      ...(part === '#panel' ? await axeFindings(page, part, undefined, ['target-size']) : []),
    ],
  },
  firefox: {
    light: inTheme('light', PAINTED),
    'at 200 %': atTwiceTheSize(['scrollable-region-focusable']),
  },
};

async function open(page: Page, tab: Tab): Promise<void> {
  await openTab(page, tab);
  if (COMPUTED[tab] !== undefined) await page.waitForSelector(COMPUTED[tab]);
  if (tab === 'step') await click(page, '[data-step-whole]');
}

const openFolds = (page: Page) =>
  page.$$eval('main details', (all) => all.forEach((element) => ((element as HTMLDetailsElement).open = true)));

// Looks at a part of the page in every way, or in some.
type See = (name: string, part: string, ways?: string[]) => Promise<void>;

// Looks at the whole page with all its folds open. axe reads every element each time, so all but three of a table's rows
// and of a row's pictures are removed, and drawings too, since axe does not judge their colours.
async function seeAll(page: Page, see: See): Promise<void> {
  await openFolds(page);
  const alike = 'main :is(table:not(.confusion) tr, .gallery > *, .maps > *, .samples > *):nth-child(n + 4)';
  await page.$$eval(`${alike}, main svg > g`, (all) => all.forEach((element) => element.remove()));
  await see('page', 'html');
}

// Looks at the contents, each instrument, the choice of images, the lessons, and a network for the reader's own classes.
async function seeParts(page: Page, see: See): Promise<void> {
  await page.$eval('main', (report) => report.remove());
  await click(page, '.menu');
  await see('contents', 'nav');
  await page.keyboard.press('Escape');
  for (const tab of await tabsOf(page)) {
    if (tab === 'how') continue; // was seen with the whole page
    await open(page, tab);
    await see(tab, '#panel');
  }
  await click(page, '[data-tool="time"]');
  await page.waitForSelector('#panel .counts svg');
  await see('time', '#panel');
  await click(page, '.examples .all');
  await see('images', '.choice');
  await click(page, '.choice .close');

  await click(page, '[data-lessons]');
  await see('lessons', '.lesson');
  const lessons = await page.$$eval('[data-open-lesson]', (all) =>
    all.map((element) => element.getAttribute('data-open-lesson')),
  );
  expect(lessons).toHaveLength(8);
  for (const lesson of lessons) {
    await click(page, `[data-open-lesson="${lesson}"]`);
    await see(`${lesson}, question`, '.lesson', ['light', 'at 200 %']);
    await click(page, '[data-predict]');
    await see(`${lesson}, tasks`, '.lesson', ['dark', 'forced colours']);
    await click(page, '.ways > button'); // all lessons
  }
  await trainOwnClasses(page);
  await see('trained', '#bench');
}

async function trainOwnClasses(page: Page): Promise<void> {
  for (const [i, symbol] of ['antenna', 'gate'].entries()) {
    for (const n of [0, 1]) {
      await page.evaluate((hash) => (location.hash = hash), `#bench?t=yours&d=${packStrokes(drawing(symbol, n))}`);
      await page.waitForSelector('[data-own-class] .add:enabled');
      await page.$$eval('[data-own-class] .add', (all, i) => (all[i] as HTMLButtonElement).click(), i);
    }
  }
  await click(page, '[data-own="train"]');
  await page.waitForSelector('.own[data-state="done"]');
}

inEachBrowser((browser, name) => {
  // Firefox has forced colours by its preferences, Chromium by its debugger.
  let coloured: Browser;
  beforeAll(async () => {
    coloured = name === 'firefox' ? await launch(name, { 'browser.display.document_color_use': 2 }) : browser();
  });
  afterAll(() => (name === 'firefox' ? coloured?.close() : undefined));
  async function force(page: Page, value: 'active' | 'none'): Promise<void> {
    if (name === 'firefox') return;
    const session = await page.createCDPSession();
    await session.send('Emulation.setEmulatedMedia', { features: [{ name: 'forced-colors', value }] });
  }
  const withForcedColours: Look = async (page, part) => {
    await force(page, 'active');
    const isForced = await page.evaluate(() => matchMedia('(forced-colors: active)').matches);
    const findings = await axeFindings(page, part, GRAVE, ['color-contrast']);
    await force(page, 'none');
    return isForced ? findings : ['colours are not forced'];
  };

  // Lists the problems of each page in each view.
  async function findProblems(of: Browser, looks: Record<string, Look>, pages = PAGES): Promise<string[]> {
    const findings: string[] = [];
    for (const shown of pages) {
      const started = shown === 'mnist' || shown === 'playground';
      await visit(of, pagePath(reports, shown), { ...SIZE, fragment: FRAGMENT, started }, async ({ page }) => {
        const see: See = async (stage, part, ways = Object.keys(looks)) => {
          for (const way of ways.filter((name) => name in looks))
            findings.push(...(await looks[way](page, part)).map((text) => `${shown}, ${stage}, ${way}: ${text}`));
        };
        await seeAll(page, see);
        if (shown === 'mnist') await seeParts(page, see);
      });
    }
    return findings;
  }

  test('axe finds nothing serious in both themes, at 200 % and with forced colours, whatever is open', async () => {
    const forced = { 'forced colours': withForcedColours };
    const looks = name === 'firefox' ? LOOKS.firefox : { ...LOOKS.chromium, ...forced };
    expect(await findProblems(browser(), looks, name === 'firefox' ? ['mnist'] : PAGES)).toEqual([]);
    if (name === 'firefox') expect(await findProblems(coloured, forced, ['mnist'])).toEqual([]);
  });

  test('with forced colours bars, legends and what is chosen can be seen', async () => {
    const coloursOf = ['.answer .chosen .bar i', '.channels i', '.grid input', '.ticks i'];
    await visit(coloured, path, { width: 1600, height: 900, fragment: FRAGMENT }, async ({ page }) => {
      await force(page, 'active');
      for (const part of coloursOf) await page.waitForSelector(part); // the epochs are drawn once the page is ready
      const seen = await page.evaluate((coloursOf) => {
        const canvas = getComputedStyle(document.body).backgroundColor;
        const styleOf = (selector: string) =>
          [...document.querySelectorAll(selector)].map((element) => getComputedStyle(element));
        const backgrounds = coloursOf.map((selector) => [
          selector,
          styleOf(selector).every((style) => style.backgroundColor !== canvas),
        ]);
        const [open] = styleOf('[data-tab][aria-selected="true"]').map((style) => style.borderBottomColor);
        const [unselected] = styleOf('[data-tab][aria-selected="false"]').map((style) => style.borderBottomColor);
        const [chosen, not] = ['true', 'false'].map(
          (pressed) => styleOf(`.channels [aria-pressed="${pressed}"]`)[0].borderLeftColor,
        );
        return { backgrounds, tabs: open !== unselected, choice: chosen !== not };
      }, coloursOf);
      expect(seen.backgrounds.filter(([, isSeen]) => !isSeen)).toEqual([]);
      expect(seen.tabs && seen.choice).toBe(true);
    });
  });

  test('keys alone reach everything', async () => {
    await visit(browser(), path, { ...SIZE, fragment: '#bench?i=0' }, async ({ page }) => {
      await openFolds(page);
      expect(await passedOver(page, 'main')).toEqual([]);
      expect(await walkByKeys(page, 'header, #bench')).toEqual([]);
      // Arrow keys went one cell to the right from the middle of the first map.
      expect((await lensOf(page)).cell).toBe('conv2d 0 13 14');
      for (const tab of await tabsOf(page)) {
        await open(page, tab);
        await page.focus('#panel');
        expect(await walkByKeys(page, '#panel'), tab).toEqual([]);
      }
      for (const [opener, part] of [
        ['[data-tool="time"]', '#panel'],
        ['.examples .all', '.choice'],
        ['[data-lessons]', '.lessons'],
        ['.menu', 'nav'],
      ]) {
        await page.focus(opener);
        await page.keyboard.press('Enter');
        await page.waitForSelector(part, { visible: true });
        if (part === '#panel') await page.focus(part);
        expect(await walkByKeys(page, part), opener).toEqual([]);
      }
      await page.focus('[name="theme"]:checked');
      const theme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
      const before = await theme();
      await page.keyboard.press(' '); // as on the button that it looks like
      expect(await theme()).not.toBe(before);
      const twice = await page.evaluate(() => {
        const themes: string[] = [];
        for (let i = 0; i < 2; i++) {
          document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', { key: ' ', bubbles: true }));
          themes.push(getComputedStyle(document.documentElement).colorScheme);
        }
        return themes;
      });
      expect(twice[0]).toBe(before); // within a frame of each other
      expect(twice[1]).not.toBe(before);
    });
  });

  test('one key skips the layers', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      await page.focus('.strip [data-column="input"] button');
      await page.keyboard.down('Shift');
      await page.keyboard.press('Tab');
      await page.keyboard.up('Shift');
      const focused = () => page.evaluate(() => (document.activeElement as HTMLElement).innerText);
      // In Firefox the strip itself has a Tab stop, since it scrolls.
      if ((await focused()) !== 'Skip the layers') {
        await page.keyboard.down('Shift');
        await page.keyboard.press('Tab');
        await page.keyboard.up('Shift');
      }
      expect(await focused()).toBe('Skip the layers');
      expect(await page.$eval('.skip', (element) => element.getBoundingClientRect().width)).toBeGreaterThan(60);
      await page.keyboard.press('Enter');
      expect(await page.evaluate(() => document.activeElement!.id)).toBe('answer');
    });
  });

  test('the answer is spoken once it rests, of an image and of a drawing, and nothing is at each move', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0&c=conv2d.3.4.5' }, async ({ page }) => {
      const spoken = () => page.$eval('.answer [aria-live="polite"]', (element) => element.textContent ?? '');
      await expect.poll(spoken).toMatch(/^The network answers 7, [\d.<>\s]+%, correct\.$/);
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

      await page.keyboard.press('Escape'); // releases the held cell
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
      await expect.poll(() => predictionOf(page)).toBe(1);
      await expect.poll(spoken).toMatch(/^The network answers 1,/);
      // On a slow machine the empty pad may be read too.
      expect((await said()).length).toBeLessThanOrEqual(2);
    });
  });
});
