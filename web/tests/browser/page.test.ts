// A reader's use of the page of MNIST's cnn, from the disk and without an internet connection.
import { expect, inject, test } from 'vitest';
import { predictionOf, checkArithmetic, click, draw, largestDifference, logitsOf, openTab, tabsOf } from './bench';
import { inEachBrowser, inOnePage, resize, visit } from './open';
import { expectedOf, pagePath } from './reports';

const folder = inject('reports');
const path = pagePath(folder, 'mnist');

const SEVEN: [number, number][] = [
  [0.25, 0.22],
  [0.74, 0.22],
  [0.62, 0.48],
  [0.45, 0.86],
];

inEachBrowser((browser, name) => {
  test('becomes ready without requests and without messages in the console', async () => {
    await visit(browser(), path, {}, async ({ page, readyMilliseconds }) => {
      console.info(`${name}: ready after ${Math.round(readyMilliseconds)} ms`);
      expect(await page.$eval('html', (html) => html.dataset.ready)).toBe('true');
      for (const tab of await tabsOf(page)) await openTab(page, tab);
    });
  });

  test('the pictures of the list are as large at a zoom of a third', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      // The page sees a zoom as this number; 28 pixels of the screen are 84 CSS pixels then, and a picture has 56.
      await page.evaluateOnNewDocument(() => Object.defineProperty(window, 'devicePixelRatio', { value: 1 / 3 }));
      await page.reload();
      await page.waitForSelector('html[data-ready="true"]');
      await click(page, '.examples .all');
      const widths = await page.$$eval('.picker [data-position] canvas', (all) =>
        all.map(({ clientWidth }) => clientWidth),
      );
      expect(Math.min(...widths)).toBe(56);
    });
  });

  test('restores a link', async () => {
    const fragment = '#bench?i=2&e=1&c=conv2d_1.12.4.7&l=conv2d.3:zero&r=4';
    await visit(browser(), path, { fragment }, async ({ page }) => {
      const seen = () =>
        page.evaluate(() => ({
          title: document.querySelector('[data-testid="lens"] h2')?.textContent,
          rival: document.querySelector('[data-class][aria-pressed="true"]')?.getAttribute('data-class'),
        }));
      expect(await seen()).toEqual({ title: 'Convolution 2, filter 12', rival: '4' });
      await openTab(page, 'ablations');
      const off = await page.$$eval('[data-ablation][aria-pressed="true"]', (all) =>
        all.map((element) => element.getAttribute('data-ablation')),
      );
      expect(off).toEqual(['conv2d/3']);
      // What is shown leads to the same link again.
      const logits = await logitsOf(page);
      await click(page, '[data-ablation="conv2d/4"]');
      await expect.poll(() => page.url()).toContain('conv2d.3:zero,conv2d.4:zero');
      await click(page, '[data-ablation="conv2d/4"]');
      await expect.poll(() => page.url()).toMatch(new RegExp(`${fragment.replace(/[?.]/g, '\\$&')}&t=ablations$`));
      expect(await logitsOf(page)).toEqual(logits);
    });
  });

  inOnePage(browser, path, (goTo) => {
    test('computes what Python computed', async () => {
      const { logits } = expectedOf(folder, 'mnist');
      for (const [index, row] of logits.entries()) {
        const page = await goTo({ fragment: `#bench?i=${index}` });
        await page.waitForSelector('[data-parity="good"]');
        expect(largestDifference(await logitsOf(page), row)).toBeLessThanOrEqual(1e-4);
      }
    });

    test('reads a drawn 7 as 7', async () => {
      const page = await goTo();
      await draw(page, [SEVEN]);
      await expect.poll(() => predictionOf(page)).toBe(7);
      await draw(page, [
        [
          [0.3, 0.52],
          [0.8, 0.52],
        ],
      ]); // a stroke across it
      const before = await logitsOf(page);
      await click(page, '.pad button[title^="Remove the last stroke"]');
      await expect.poll(() => predictionOf(page)).toBe(7);
      expect(await logitsOf(page)).not.toEqual(before);
    });

    test('writes out the arithmetic of every layer, and it adds up', async () => {
      const page = await goTo({ width: 1600, height: 1100 });
      await checkArithmetic(page);
    });

    test('leads from a cell of the confusion matrix to the bench', async () => {
      const page = await goTo();
      const wrong = (await page.$$eval('td[data-true] > button', (buttons) =>
        buttons.map((button) => ({ ...(button.parentElement as HTMLElement).dataset })),
      )) as { true: string; predicted: string }[];
      const cell = wrong.find((mistake) => mistake.true !== mistake.predicted)!;
      await click(page, `td[data-true="${cell.true}"][data-predicted="${cell.predicted}"] > button`);
      await click(page, '#evaluation .panel li button');
      await expect.poll(() => predictionOf(page)).toBe(Number(cell.predicted));
      await expect.poll(() => page.url()).toMatch(/#bench\?i=\d+/);
      const top = () => page.$eval('#bench', (bench) => Math.abs(bench.getBoundingClientRect().top));
      await expect.poll(top).toBeLessThan(200);
    });

    test('goes back to the untrained network, and to the trained one', async () => {
      const page = await goTo({ fragment: '#bench?i=0' });
      const slider = await page.waitForSelector('.epochs input[type="range"]');
      const trained = await logitsOf(page);
      await slider!.focus();
      await page.keyboard.press('Home');
      await expect.poll(() => logitsOf(page)).not.toEqual(trained);
      expect(Math.max(...(await logitsOf(page)))).toBeLessThan(2); // a network that has not learned is not sure
      await expect.poll(() => page.url()).toMatch(/[?&]e=0(&|$)/);
      await page.keyboard.press('End');
      await expect.poll(() => logitsOf(page)).toEqual(trained);
    });

    test('does not scroll sideways on a telephone or in the frame of a notebook', async () => {
      const page = await goTo();
      await page.waitForSelector('[data-parity]');
      for (const tab of await tabsOf(page)) {
        await openTab(page, tab);
        for (const width of [360, 620, 900]) {
          await resize(page, { width, height: 740 });
          const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          expect(widths[0], `${width}, ${tab}`).toBeLessThanOrEqual(widths[1]);
        }
      }
    });
  });
});
