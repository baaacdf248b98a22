// The sections of what else was measured of a run: at every width and in both themes, with a pointer, on paper, and
// without a script.
import { statSync } from 'node:fs';
import type { ElementHandle, Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { axeFindings } from './axe';
import { inEachBrowser, visit } from './open';
import { pagePath, type ReportName } from './reports';

const folder = inject('reports');
const KINDS: ReportName[] = ['mnist', 'letters', 'hostile', 'ann'];
const WIDTHS = [360, 1024, 1440];
const TOPICS = 11;
const MOST_BYTES = 4_000_000; // of MNIST; pages of made-up noise, which nothing compresses, may have a quarter more
const A4 = 673; // CSS pixels between margins of 16 mm

const openAll = (page: Page) =>
  page.$$eval('main details', (all) => all.forEach((one) => ((one as HTMLDetailsElement).open = true)));

// What is wider than the page and does not scroll inside something that a keyboard reaches.
function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) found.push(`the page, ${document.documentElement.scrollWidth}`);
    for (const one of document.querySelectorAll<HTMLElement>(
      'main :is(table, svg, img, p, h2, figcaption, .gallery)',
    )) {
      const box = one.getBoundingClientRect();
      const scroller = one.closest<HTMLElement>('.scroll');
      const scrolls =
        scroller !== null && scroller.tabIndex === 0 && scroller.getBoundingClientRect().right <= width + 4;
      if (box.right > width + 1 && !scrolls) found.push(`${one.closest('section')?.id} ${one.tagName} ${box.right}`);
    }
    return found;
  });
}

// What a click hands over, in place of its going to the disk.
async function downloaded(page: Page, button: ElementHandle<Element>): Promise<{ name: string; text: string }> {
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
  await button.evaluate((one) => (one as HTMLElement).click());
  const seen = await page.waitForFunction(async () => {
    const { handed, name } = window as unknown as { handed: Promise<string> | null; name: string };
    return handed === null ? null : { name, text: await handed };
  });
  return (await seen.jsonValue()) as { name: string; text: string };
}

test.each(KINDS)('%s is a small file', (name) => {
  const most = name === 'mnist' || name === 'ann' ? MOST_BYTES : 1.25 * MOST_BYTES;
  expect(statSync(pagePath(folder, name)).size).toBeLessThanOrEqual(most);
});

inEachBrowser((browser) => {
  test.each([
    ['mnist', 1440],
    ['letters', 1440],
    ['hostile', 360],
    ['ann', 360],
  ] as const)('%s has every section, and the contents lead to each', async (name, width) => {
    await visit(browser(), pagePath(folder, name), { width, theme: 'light' }, async ({ page }) => {
      expect(await page.$$eval('section.evidence', (all) => all.length)).toBe(TOPICS);
      const anchors = await page.$$eval('nav a', (links) => links.map((link) => link.getAttribute('href')!));
      const sections = await page.$$eval('main > section', (all) => all.map((one) => `#${one.id}`));
      expect(anchors).toEqual(sections);
      for (const anchor of anchors) {
        await page.$eval(`nav a[href="${anchor}"]`, (link) => (link as HTMLElement).click());
        // Opened, and below the header that stays, unless the page ends before.
        const place = () =>
          page.evaluate((selector) => {
            const { top } = document.querySelector(`${selector} h2`)!.getBoundingClientRect();
            const header = document.querySelector('header')!.getBoundingClientRect().bottom;
            const atEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
            const folded = document.querySelector(`${selector} > details:not([open])`) !== null;
            return { folded, hidden: top < header, far: top > header + 200 && !atEnd };
          }, anchor);
        await expect.poll(place, { message: anchor }).toEqual({ folded: false, hidden: false, far: false });
      }
    });
  });

  test('the map of test images keeps its height when it follows the live view and when it is left', async () => {
    await visit(browser(), pagePath(folder, 'mnist'), { width: 1280 }, async ({ page }) => {
      await page.$eval('nav a[href="#embedding"]', (link) => (link as HTMLElement).click());
      const height = () => page.$eval('.whereabouts', (one) => (one as HTMLElement).offsetHeight);
      const place = () => page.$eval('.whereabouts', (one) => (one as HTMLElement).dataset.whereabouts);
      const empty = await height();
      await expect.poll(place).not.toBe('');
      expect(await height()).toBe(empty);
      await page.$eval('nav a[href="#ablation"]', (link) => (link as HTMLElement).click());
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      expect(await height()).toBe(empty);
    });
  });

  test('a page is short while it is folded', async () => {
    await visit(browser(), pagePath(folder, 'mnist'), { width: 1280 }, async ({ page }) => {
      expect(await page.$$eval('main details[open]', (all) => all.length)).toBe(0);
      expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(9000);
    });
  });

  test('the contents open from the first screen, and close behind the link that is followed', async () => {
    for (const width of [1280, 390]) {
      await visit(browser(), pagePath(folder, 'mnist'), { width, height: 720 }, async ({ page }) => {
        const isOpen = () => page.$eval('nav', (nav) => nav.matches(':popover-open'));
        await page.click('header [popovertarget="contents"]');
        expect(await isOpen()).toBe(true);
        const link = (await page.$('nav a[href="#calibration"]'))!;
        await link.evaluate((one) => one.scrollIntoView({ block: 'nearest' }));
        await link.click();
        expect(await isOpen()).toBe(false);
        expect(await page.$eval('#calibration > details', (one) => (one as HTMLDetailsElement).open)).toBe(true);
      });
    }
  });

  test('Back from a picture on the bench returns to it, in the section that was open', async () => {
    await visit(browser(), pagePath(folder, 'mnist'), { width: 1280 }, async ({ page }) => {
      for (const [section, image] of [
        ['attributions', '#attributions button > img'],
        ['evaluation', '#evaluation .cards button > img'],
      ]) {
        await page.$eval(`nav a[href="#${section}"]`, (link) => (link as HTMLElement).click());
        await page.$eval(image, (one) => one.scrollIntoView({ block: 'center' }));
        const place = () => page.$eval(image, (one) => Math.round(one.getBoundingClientRect().top));
        const before = await place();
        await page.$eval(image, (one) => (one.parentElement as HTMLElement).click());
        await expect.poll(() => page.evaluate(() => scrollY)).toBe(0);
        await page.evaluate(() => history.back());
        await expect.poll(() => page.url()).toContain(`#${section}`);
        await expect.poll(async () => Math.abs((await place()) - before)).toBeLessThan(3);
      }
    });
  });

  test('a link to a section opens it and the page there, though the bench comes to stand above it', async () => {
    for (const fragment of ['#filters', '#glossary', '#data']) {
      await visit(browser(), pagePath(folder, 'mnist'), { width: 1440, fragment }, async ({ page }) => {
        const section = await page.$eval(fragment, (one) => {
          const atEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
          const { open } = one.querySelector<HTMLDetailsElement>('details.fold')!;
          return { top: one.getBoundingClientRect().top, atEnd, open };
        });
        expect(section.open).toBe(true);
        expect(section.top).toBeGreaterThan(0);
        if (!section.atEnd) expect(section.top).toBeLessThan(150);
      });
    }
  });

  test('the contents mark the section that is read', async () => {
    await visit(browser(), pagePath(folder, 'mnist'), { width: 1440, height: 500 }, async ({ page }) => {
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
  });

  test.each(KINDS)('%s scrolls downwards only, with everything open', async (name) => {
    await visit(browser(), pagePath(folder, name), { width: WIDTHS[0] }, async ({ page }) => {
      for (const opens of [false, true]) {
        if (opens) await openAll(page);
        for (const width of WIDTHS) {
          await page.setViewport({ width, height: 900 });
          for (const theme of opens ? ['dark'] : ['light', 'dark']) {
            await page.$eval(`#theme-${theme}`, (input) => (input as HTMLInputElement).click());
            await expect.poll(() => tooWide(page), { message: `${width}, ${theme}, ${opens}` }).toEqual([]);
          }
        }
      }
      const hidden = await page.$$eval('.evidence details table', (all) =>
        all.filter((table) => table.getBoundingClientRect().height === 0),
      );
      expect(hidden).toEqual([]);
    });
  });

  test.each(['mnist', 'ann'] as const)('a click on any test image of %s puts it on the bench', async (name) => {
    await visit(browser(), pagePath(folder, name), {}, async ({ page }) => {
      const images = '.evidence img[data-split="test"]';
      const sections = await page.$$eval(images, (all) => all.map((one) => one.closest('section')!.id));
      expect(new Set(sections)).toContain('attributions');
      const left = await page.$$eval(
        images,
        (all) => all.filter((one) => one.parentElement!.tagName !== 'BUTTON').length,
      );
      expect(left).toBe(0);
      for (const section of new Set(sections)) {
        const image = (await page.$$(`#${section} img[data-split="test"]`)).at(-1)!;
        const index = await image.evaluate((one) => Number((one as HTMLElement).dataset.index));
        await image.evaluate((one) => (one.parentElement as HTMLElement).click());
        await expect.poll(() => page.url(), { message: section }).toMatch(new RegExp(`#bench\\?i=${index}(&|$)`));
      }
    });
  });

  test('each drawing and its numbers can be saved', async () => {
    await visit(browser(), pagePath(folder, 'hostile'), {}, async ({ page }) => {
      const figures = await page.$$('.evidence figure[data-chart]');
      expect(figures.length).toBeGreaterThanOrEqual(TOPICS);
      for (const figure of figures) {
        const chart = await figure.evaluate((one) => (one as HTMLElement).dataset.chart!);
        const buttons = await figure.$$('.report-part button');
        const kinds = await Promise.all(buttons.map((one) => one.evaluate((button) => button.textContent)));
        expect(kinds, chart).toEqual(['CSV', 'PNG', 'SVG']);
        for (const [i, start] of [/^[^\r\n]+\r\n/, /PNG/, /^<svg[^>]* viewBox=/].entries()) {
          const { name, text } = await downloaded(page, buttons[i]);
          expect(name).toMatch(new RegExp(`-${chart}\\.${kinds[i]!.toLowerCase()}$`));
          expect(text, name).toMatch(start);
          expect(text, name).not.toContain('var(--');
        }
      }
    });
  });
});

// The elements are the same in every browser, and only Chromium shows them as on paper or switches scripts off.
inEachBrowser(
  (browser) => {
    test('the report does not move while the page opens, wherever it is opened', async () => {
      for (const [width, fragment] of [
        [1280, ''],
        [390, ''],
        [1280, '#filters'],
        [390, '#glossary'],
      ] as const) {
        await visit(browser(), pagePath(folder, 'mnist'), { width, fragment }, async ({ page }) => {
          const moved = await page.evaluate(
            () =>
              new Promise<number>((done) => {
                new PerformanceObserver((list) => {
                  done(list.getEntries().reduce((sum, one) => sum + (one as unknown as { value: number }).value, 0));
                }).observe({ type: 'layout-shift', buffered: true });
                setTimeout(() => done(0), 2000); // nothing has moved
              }),
          );
          expect(moved, `${width} ${fragment}`).toBeLessThan(0.05);
        });
      }
    });

    test.each(['mnist', 'hostile'] as const)('axe finds nothing in %s with everything open', async (name) => {
      for (const [width, theme] of [
        [1440, 'light'],
        [360, 'dark'],
      ] as const) {
        await visit(browser(), pagePath(folder, name), { width, theme }, async ({ page }) => {
          await openAll(page);
          expect(await axeFindings(page, '.evidence')).toEqual([]);
          await page.click('header [popovertarget="contents"]');
          expect(await axeFindings(page, 'nav')).toEqual([]);
        });
      }
    });

    test('paper has what is open on the screen, and of the rest the findings', async () => {
      await visit(browser(), pagePath(folder, 'mnist'), { width: A4, height: 1002 }, async ({ page }) => {
        await page.$eval('#ablation > details', (one) => ((one as HTMLDetailsElement).open = true));
        await page.emulateMediaType('print');
        const heights = await page.$$eval('main > section:has(> .fold)', (all) =>
          all.map((one) => [one.id, one.getBoundingClientRect().height] as const),
        );
        for (const [id, height] of heights) {
          if (id === 'ablation') expect(height).toBeGreaterThan(1000);
          else expect(height, id).toBeLessThan(120);
        }
        const words = await page.$eval('#calibration summary', (one) => (one as HTMLElement).innerText);
        expect(words).toMatch(/Calibration\s+Temperature/);
      });
    });

    test.each(['letters', 'hostile'] as const)('%s is whole on paper with everything open', async (name) => {
      await visit(browser(), pagePath(folder, name), { width: A4, height: 1002, theme: 'dark' }, async ({ page }) => {
        await openAll(page);
        await page.emulateMediaType('print');
        const cut = await page.$$eval(
          'main :is(table, svg, img, p, h2, figcaption, .gallery)',
          (all, width) =>
            all
              .filter((one) => one.getBoundingClientRect().right > width + 1)
              .map(
                (one) =>
                  `${one.closest('section')?.id} ${one.tagName} ${one.closest('figure')?.innerText.slice(0, 60)}`,
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
    });

    test('the sections can be read without a script', async () => {
      await visit(browser(), pagePath(folder, 'mnist'), { script: false }, async ({ page }) => {
        await openAll(page);
        const seen = await page.$$eval('section.evidence', (all) =>
          all.map((one) => ({
            words: (one as HTMLElement).innerText.length,
            pictures: [...one.querySelectorAll('img')].every((image) => image.naturalWidth > 0),
            parts: one.querySelectorAll('svg, img, table').length,
          })),
        );
        expect(seen).toHaveLength(TOPICS);
        for (const { words, pictures, parts } of seen) {
          expect(words).toBeGreaterThan(400);
          expect(pictures).toBe(true);
          expect(parts).toBeGreaterThan(0);
        }
        const data = '#data > details';
        const isOpen = () => page.$eval(data, (one) => (one as HTMLDetailsElement).open);
        const was = await isOpen();
        await page.click(`${data} > summary`); // the browser opens and closes it by itself
        expect(await isOpen()).toBe(!was);
      });
    });
  },
  ['chromium'],
);
