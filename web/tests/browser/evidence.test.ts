// The report's sections of further measurements: at every width, with a pointer, on paper, and without a script.
import { statSync } from 'node:fs';
import type { ElementHandle, Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { axeFindings } from './axe';
import { inEachBrowser, inOnePage, visit, type GoTo } from './open';
import { pagePath, type ReportName } from './reports';

const folder = inject('reports');
const KINDS: ReportName[] = ['mnist', 'letters', 'hostile', 'ann'];
const WIDTHS = [360, 1024, 1440];
const TOPICS = 10;
const MAX_BYTES = 4_500_000; // of MNIST; pages of made-up noise, which nothing compresses, may have a quarter more
const A4 = 673; // CSS pixels between margins of 16 mm

const openAll = (page: Page) =>
  page.$$eval('main details', (all) => all.forEach((element) => ((element as HTMLDetailsElement).open = true)));

// Finds elements that are wider than the page and do not scroll inside an element that a keyboard reaches.
function findTooWide(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const overlaps: string[] = [];
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width)
      overlaps.push(`the page, ${document.documentElement.scrollWidth}`);
    for (const element of document.querySelectorAll<HTMLElement>(
      'main :is(table, svg, img, p, h2, figcaption, .gallery)',
    )) {
      const box = element.getBoundingClientRect();
      const scroller = element.closest<HTMLElement>('.scroll');
      const scrolls =
        scroller !== null && scroller.tabIndex === 0 && scroller.getBoundingClientRect().right <= width + 4;
      if (box.right > width + 1 && !scrolls)
        overlaps.push(`${element.closest('section')?.id} ${element.tagName} ${box.right}`);
    }
    return overlaps;
  });
}

// Catches the file that a click would save.
async function catchDownload(page: Page, button: ElementHandle<Element>): Promise<{ name: string; text: string }> {
  await page.evaluate(() => {
    const seen = window as unknown as { handed: Promise<string> | null; name: string };
    seen.handed = null;
    URL.createObjectURL = (blob) => {
      seen.handed = (blob as Blob).text();
      return 'blob:none';
    };
    HTMLAnchorElement.prototype.click = function () {
      seen.name = this.download;
    };
  });
  await button.evaluate((element) => (element as HTMLElement).click());
  const seen = await page.waitForFunction(async () => {
    const { handed, name } = window as unknown as { handed: Promise<string> | null; name: string };
    return handed === null ? null : { name, text: await handed };
  });
  return (await seen.jsonValue()) as { name: string; text: string };
}

// Measures how much the layout has shifted since the page began to open, as Chromium counts it.
const movedBy = (page: Page): Promise<number> =>
  page.evaluate(
    () =>
      new Promise<number>((done) => {
        new PerformanceObserver((list) => {
          done(list.getEntries().reduce((sum, entry) => sum + (entry as unknown as { value: number }).value, 0));
        }).observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => done(0), 2000); // nothing has moved
      }),
  );

test.each(KINDS)('%s is a small file', (name) => {
  const maxBytes = name === 'mnist' || name === 'ann' ? MAX_BYTES : 1.25 * MAX_BYTES;
  expect(statSync(pagePath(folder, name)).size).toBeLessThanOrEqual(maxBytes);
});

inEachBrowser((browser, browserName) => {
  // Only Chromium shows a page as on paper, or switches scripts off; and elements are the same in every browser.
  const isChromium = browserName === 'chromium';

  const testMnist = (goTo: GoTo) => {
    test('the contents open from the first screen, and close behind the link that is followed', async () => {
      for (const width of [1280, 390]) {
        const page = await goTo({ width, height: 720 });
        const isOpen = () => page.$eval('nav', (nav) => nav.matches(':popover-open'));
        await page.click('header [popovertarget="contents"]');
        expect(await isOpen()).toBe(true);
        const link = (await page.$('nav a[href="#calibration"]'))!;
        await link.evaluate((element) => element.scrollIntoView({ block: 'nearest' }));
        await link.click();
        expect(await isOpen()).toBe(false);
        expect(await page.$eval('#calibration > details', (element) => (element as HTMLDetailsElement).open)).toBe(
          true,
        );
      }
    });

    test('the contents mark the section that is read', async () => {
      const page = await goTo({ width: 1440, height: 500 });
      for (const anchor of ['#audit', '#ablation', '#data']) {
        await page.$eval(`nav a[href="${anchor}"]`, (link) => (link as HTMLElement).click());
        const marked = () =>
          page.$$eval('nav a[aria-current]', (links) =>
            links.map((link) => {
              const [at, room] = [link.getBoundingClientRect(), link.closest('ol')!.getBoundingClientRect()];
              return [link.getAttribute('href'), at.top >= room.top - 1 && at.bottom <= room.bottom + 1];
            }),
          );
        await expect.poll(marked).toEqual([[anchor, true]]);
      }
    });

    test('Back from a picture on the bench returns to it, in the section that was open', async () => {
      const page = await goTo({ width: 1280 });
      for (const [section, image] of [
        ['filters', '#filters button > img'],
        ['evaluation', '#evaluation .cards button > img'],
      ]) {
        await page.$eval(`nav a[href="#${section}"]`, (link) => (link as HTMLElement).click());
        await page.$eval(image, (element) => element.scrollIntoView({ block: 'center' }));
        const top = () => page.$eval(image, (element) => Math.round(element.getBoundingClientRect().top));
        const before = await top();
        await page.$eval(image, (element) => (element.parentElement as HTMLElement).click());
        await expect.poll(() => page.evaluate(() => scrollY)).toBe(0);
        await page.evaluate(() => history.back());
        await expect.poll(() => page.url()).toContain(`#${section}`);
        await expect.poll(async () => Math.abs((await top()) - before)).toBeLessThan(3);
      }
    });

    if (isChromium)
      test('a printed report has what is open on the screen, and the findings of the other sections', async () => {
        const page = await goTo({ width: A4, height: 1002 });
        await page.$eval('#ablation > details', (element) => ((element as HTMLDetailsElement).open = true));
        await page.emulateMediaType('print');
        const heights = await page.$$eval('main > section:has(> .fold)', (all) =>
          all.map((element) => [element.id, element.getBoundingClientRect().height] as const),
        );
        for (const [id, height] of heights) {
          if (id === 'ablation') expect(height).toBeGreaterThan(600);
          else expect(height, id).toBeLessThan(120);
        }
        const words = await page.$eval('#calibration summary', (element) => (element as HTMLElement).innerText);
        expect(words).toMatch(/Calibration\s+Temperature/);
      });
  };

  for (const name of KINDS.filter((kind) => isChromium || kind !== 'ann')) {
    inOnePage(browser, pagePath(folder, name), (goTo) => {
      test('has every section, and the contents lead to each', async () => {
        const page = await goTo({ width: name === 'mnist' || name === 'letters' ? 1440 : 360 });
        expect(await page.$$eval('section.evidence', (all) => all.length)).toBe(TOPICS);
        const anchors = await page.$$eval('nav a', (links) => links.map((link) => link.getAttribute('href')!));
        const sections = await page.$$eval('main > section', (all) => all.map((element) => `#${element.id}`));
        expect(anchors).toEqual(sections);
        for (const anchor of anchors) {
          await page.$eval(`nav a[href="${anchor}"]`, (link) => (link as HTMLElement).click());
          // Opened, and below the header that stays, unless the page ends before.
          const position = () =>
            page.evaluate((selector) => {
              const { top } = document.querySelector(`${selector} h2`)!.getBoundingClientRect();
              const header = document.querySelector('header')!.getBoundingClientRect().bottom;
              const atEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
              const folded = document.querySelector(`${selector} > details:not([open])`) !== null;
              return { folded, hidden: top < header, far: top > header + 200 && !atEnd };
            }, anchor);
          await expect.poll(position, { message: anchor }).toEqual({ folded: false, hidden: false, far: false });
        }
      });

      test('scrolls downwards only, with everything open', async () => {
        const page = await goTo({ width: WIDTHS[0] });
        for (const opens of [false, true]) {
          if (opens) await openAll(page);
          for (const width of WIDTHS) {
            await page.setViewport({ width, height: 900 });
            await expect.poll(() => findTooWide(page), { message: `${width}, ${opens}` }).toEqual([]);
          }
        }
        const hidden = await page.$$eval('.evidence details table', (all) =>
          all.filter((table) => table.getBoundingClientRect().height === 0),
        );
        expect(hidden).toEqual([]);
      });

      if (name === 'mnist' || name === 'ann')
        test('a click on any test image puts it on the bench', async () => {
          const page = await goTo();
          const images = '.evidence img[data-split="test"]';
          const sections = await page.$$eval(images, (all) => all.map((element) => element.closest('section')!.id));
          expect(new Set(sections)).toContain('filters');
          const left = await page.$$eval(
            images,
            (all) => all.filter((element) => element.parentElement!.tagName !== 'BUTTON').length,
          );
          expect(left).toBe(0);
          for (const section of new Set(sections)) {
            const image = (await page.$$(`#${section} img[data-split="test"]`)).at(-1)!;
            const index = await image.evaluate((element) => Number((element as HTMLElement).dataset.index));
            await image.evaluate((element) => (element.parentElement as HTMLElement).click());
            await expect.poll(() => page.url(), { message: section }).toMatch(new RegExp(`#bench\\?i=${index}(&|$)`));
          }
        });

      // For one page, since it takes long with everything open; accessibility.test.ts has that of mnist.
      if (isChromium && name === 'hostile')
        test('axe finds nothing with everything open', async () => {
          const page = await goTo({ width: 360, theme: 'dark' });
          await openAll(page);
          expect(await axeFindings(page, '.evidence')).toEqual([]);
          await page.click('header [popovertarget="contents"]');
          expect(await axeFindings(page, 'nav')).toEqual([]);
        });

      // It replaces what a click on a link does, so no later test may follow a link.
      if (name === 'hostile')
        test('each drawing and its numbers can be saved', async () => {
          const page = await goTo();
          const figures = await page.$$('.evidence figure[data-chart]');
          expect(figures.length).toBeGreaterThan(5);
          for (const figure of figures) {
            const chart = await figure.evaluate((element) => (element as HTMLElement).dataset.chart!);
            const buttons = await figure.$$('.report-part button');
            const kinds = await Promise.all(buttons.map((element) => element.evaluate((button) => button.textContent)));
            expect(kinds, chart).toEqual(['CSV', 'PNG', 'SVG']);
            for (const [i, start] of [/^[^\r\n]+\r\n/, /PNG/, /^<svg[^>]* viewBox=/].entries()) {
              const { name, text } = await catchDownload(page, buttons[i]);
              expect(name).toMatch(new RegExp(`-${chart}\\.${kinds[i]!.toLowerCase()}$`));
              expect(text, name).toMatch(start);
              expect(text, name).not.toContain('var(--');
            }
          }
        });

      if (isChromium && (name === 'letters' || name === 'hostile'))
        test('is whole on paper with everything open', async () => {
          const page = await goTo({ width: A4, height: 1002, theme: 'dark' });
          await openAll(page);
          await page.emulateMediaType('print');
          const cut = await page.$$eval(
            'main :is(table, svg, img, p, h2, figcaption, .gallery)',
            (all, width) =>
              all
                .filter((element) => element.getBoundingClientRect().right > width + 1)
                .map(
                  (element) =>
                    `${element.closest('section')?.id} ${element.tagName} ${element.closest('figure')?.innerText.slice(0, 60)}`,
                ),
            A4,
          );
          expect(cut).toEqual([]);
          const tables = await page.$$eval('.evidence details table', (all) =>
            all.map((table) => table.getBoundingClientRect().height),
          );
          expect(Math.min(...tables)).toBeGreaterThan(0);
          expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(100_000);
        });

      if (name === 'mnist') testMnist(goTo);
    });
  }

  test.each([
    [1280, ''],
    [390, ''],
    [1280, '#filters'],
    [390, '#glossary'],
    [1440, '#data'],
  ] as const)(
    'opened at %i px and "%s" it is folded but for that section, and does not move',
    async (width, fragment) => {
      await visit(browser(), pagePath(folder, 'mnist'), { width, fragment }, async ({ page }) => {
        const open = await page.$$eval('main details[open]', (all) =>
          all.map((element) => `#${element.parentElement!.id}`),
        );
        expect(open).toEqual(fragment === '' ? [] : [fragment]);
        if (isChromium) expect(await movedBy(page)).toBeLessThan(0.05);
        if (fragment === '') {
          if (width === 1280)
            expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(9000);
          return;
        }
        // The bench opened above the section, which stays in sight.
        const [top, isAtEnd] = await page.$eval(fragment, (element) => {
          const { scrollHeight } = document.documentElement;
          return [element.getBoundingClientRect().top, scrollY + innerHeight >= scrollHeight - 2] as const;
        });
        expect(top).toBeGreaterThan(0);
        if (!isAtEnd) expect(top).toBeLessThan(150);
      });
    },
  );

  if (!isChromium) return;
  test('the sections can be read without a script', async () => {
    await visit(browser(), pagePath(folder, 'mnist'), { script: false }, async ({ page }) => {
      await openAll(page);
      const seen = await page.$$eval('section.evidence', (all) =>
        all.map((element) => ({
          words: (element as HTMLElement).innerText.length,
          pictures: [...element.querySelectorAll('img')].every((image) => image.naturalWidth > 0),
          parts: element.querySelectorAll('svg, img, table').length,
        })),
      );
      expect(seen).toHaveLength(TOPICS);
      for (const { words, pictures, parts } of seen) {
        expect(words).toBeGreaterThan(400);
        expect(pictures).toBe(true);
        expect(parts).toBeGreaterThan(0);
      }
      const data = '#data > details';
      const isOpen = () => page.$eval(data, (element) => (element as HTMLDetailsElement).open);
      const was = await isOpen();
      await page.click(`${data} > summary`); // the browser opens and closes it by itself
      expect(await isOpen()).toBe(!was);
    });
  });
});
