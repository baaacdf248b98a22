// The first screen: everything is in sight at once, and the lens explains the cell under the pointer.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { afterAll, expect, inject, test } from 'vitest';
import { predictionOf, boxOf, click, draw, isInSight, layersOf, lensOf, logitsOf, openTab, type Box } from './bench';
import { inEachBrowser, inOnePage, visit, type GoTo } from './open';
import { existingReports, expectedOf, pagePath, type ReportName } from './reports';

const folder = inject('reports');
const path = pagePath(folder, 'mnist');
const ONE: [number, number][] = [
  [0.5, 0.2],
  [0.5, 0.8],
];

const NAMES = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];
const scratch = mkdtempSync(join(tmpdir(), 'convscope-named-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// Writes the page of cnn with names of clothes in place of the digits, and returns its path.
function writeWithNames(): string {
  const into = join(scratch, 'report.html');
  const digits = JSON.stringify(expectedOf(folder, 'mnist').class_names);
  writeFileSync(into, readFileSync(path, 'utf8').replaceAll(digits, JSON.stringify(NAMES)));
  return into;
}

const shifted = (stroke: [number, number][], by: number): [number, number][] => stroke.map(([x, y]) => [x + by, y]);

// Finds where the held cell is drawn.
const heldBox = (page: Page): Promise<Box> => boxOf(page, '.strip path.frame.held');

inEachBrowser((browser) => {
  const testMnist = (goTo: GoTo) => {
    test.each([
      [1280, 720],
      [1440, 900],
      [1920, 1080],
      [2560, 1440],
    ])('at %i × %i all of cnn is in sight without scrolling', async (width, height) => {
      const page = await goTo({ width, height, fragment: '#bench?i=0' });
      for (const part of ['header', '.pad', '.strip', '.answer li:last-child', '.lens', '.epochs']) {
        expect(await isInSight(page, part), part).toBe(true);
      }
      const [shown, all] = await page.$eval('.strip', (strip) => [strip.clientWidth, strip.scrollWidth]);
      expect(all).toBeLessThanOrEqual(shown + 1);
      const layers = await layersOf(page);
      for (const { layer, rows, columns, cell } of layers) {
        expect(Number.isInteger(cell), layer).toBe(true);
        if (rows * columns > 1) expect(cell, layer).toBeGreaterThanOrEqual(width >= 1920 ? 3 : 2);
      }
    });

    test('hovering and drawing move nothing', async () => {
      const page = await goTo({ width: 1440, height: 900, fragment: '#bench?i=0' });
      const boxes = () =>
        Promise.all(
          ['.strip canvas[data-layer="dense"]', '.answer ol', '.lens'].map((selector) => boxOf(page, selector)),
        );
      const before = await boxes();
      const input = await boxOf(page, '.strip canvas[data-layer="input"]');
      await page.mouse.move(input.left + 40, input.top + 40);
      await expect.poll(async () => (await lensOf(page)).cell).toMatch(/^input /);
      expect(await boxes()).toEqual(before);
    });

    test('on a telephone pad and answer are in sight together, also while one draws', async () => {
      const page = await goTo({ width: 390, height: 844 });
      await click(page, '.pad button[title^="Clear"]');
      await expect
        .poll(() => page.$eval('[data-answer]', (element) => (element as HTMLElement).dataset.answer))
        .toBe('');
      const before = await boxOf(page, '.answer ol');
      await draw(page, [ONE]);
      await expect.poll(() => predictionOf(page)).toBe(1);
      expect(await boxOf(page, '.answer ol')).toEqual(before);
      for (const part of ['.pad canvas', '.answer .name', '.answer li:last-child'])
        expect(await isInSight(page, part), part).toBe(true);
      expect((await boxOf(page, '.strip')).bottom).toBeLessThan((await boxOf(page, '.lens')).top);
    });

    test('a caution stands under the answer and moves nothing', async () => {
      const page = await goTo({ width: 1280, height: 720 });
      const boxes = () =>
        Promise.all(['.answer ol', '.strip', '.lens', '.pad canvas'].map((selector) => boxOf(page, selector)));
      await click(page, '.pad button[title^="Clear"]');
      await draw(page, [shifted(ONE, -0.25)]);
      await expect.poll(() => page.$$('.caution').then((all) => all.length)).toBeGreaterThan(0); // off centre
      await draw(page, [ONE]);
      const before = await boxes();
      await draw(page, [shifted(ONE, 0.25)]);
      const cautions = () =>
        page.$$eval('.caution', (all) => all.map((element) => element.textContent ?? '').join(' '));
      await expect.poll(cautions).toContain('several characters');
      expect(await boxes()).toEqual(before);
      // It is read whole, on two lines beside the answer.
      const [note, name, rows] = await Promise.all(
        ['.note', '.answer .name', '.answer ol'].map((selector) => boxOf(page, selector)),
      );
      expect(note.left).toBeGreaterThanOrEqual(name.right);
      expect(note.bottom).toBeLessThanOrEqual(rows.top);
      const [high, room] = await page.$eval('.note', (element) => [element.scrollHeight, element.clientHeight]);
      expect(high).toBeLessThanOrEqual(room);
    });

    test('an empty pad invites to draw, and answers nothing', async () => {
      const page = await goTo();
      await click(page, '.pad button[title^="Clear"]');
      const seen = () => page.$eval('[data-answer]', (element) => (element as HTMLElement).innerText);
      await expect.poll(seen).toMatch(/^Draw on the pad[^%]*$/); // also what is spoken once the pen rests
    });

    test('the text of the first screen has 15 pixels or more, but for the heads of columns and colour scales', async () => {
      for (const cell of ['conv2d.3.4.5', 'max_pooling2d.3.4.5', 'dense_1.7.0.0', 'input.0.9.9']) {
        const fragment = `#bench?i=0&c=${cell}`;
        const page = await goTo({ width: 1440, fragment });
        const small = await page.evaluate(() => {
          const cut: string[] = [];
          const parts = document.querySelectorAll('header, #bench');
          for (const part of parts) {
            const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
            for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
              const element = node.parentElement!;
              if (node.textContent!.trim() === '' || element.closest('.columns, .colour-scale, script, style') !== null)
                continue;
              if (!element.checkVisibility() || element.getBoundingClientRect().width <= 1) continue;
              if (parseFloat(getComputedStyle(element).fontSize) < 15) cut.push(node.textContent!.trim());
            }
          }
          return cut;
        });
        expect(small, cell).toEqual([]);
      }
    });

    test('at 1280 × 720 no calculation of cnn is cut off', async () => {
      const page = await goTo({ width: 1280, height: 720, fragment: '#bench?i=0' });
      for (const cell of [
        'input.0.9.9',
        'conv2d.3.4.5',
        'max_pooling2d.3.4.5',
        'conv2d_1.3.4.5',
        'dense.7.0.0',
        'dense_1.7.0.0',
      ]) {
        await page.evaluate((hash) => (location.hash = hash), `#bench?i=0&c=${cell}`);
        await expect.poll(async () => (await lensOf(page)).cell).toBe(cell.replaceAll('.', ' '));
        const [wide, room, high, height] = await page.$eval('.work', (element) => [
          element.scrollWidth,
          element.clientWidth,
          element.scrollHeight,
          element.clientHeight,
        ]);
        expect(wide, cell).toBeLessThanOrEqual(room);
        expect(high, cell).toBeLessThanOrEqual(height + 2);
      }
    });

    test('softmax is shown as logit, exponential and share, and the outputs are never all at full colour', async () => {
      const fragment = '#bench?i=0&c=dense_1.7.0.0';
      const page = await goTo({ width: 1440, fragment });
      const rows = await page.$$eval('[data-softmax] tbody tr:not(.sum)', (all) =>
        all.map((row) => [...row.children].map((cell) => cell.textContent!.trim().replace('−', '-'))),
      );
      const logits = await logitsOf(page);
      const largest = Math.max(...logits);
      const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
      expect(rows.length).toBeGreaterThan(3);
      for (const [name, logit, power, share] of rows) {
        const value = logits[Number(name)];
        expect(Number(logit)).toBeCloseTo(value, 1);
        expect(Number(power)).toBeCloseTo(Math.exp(value - largest), 2);
        const expected = (100 * Math.exp(value - largest)) / sum;
        if (!/[<>]/.test(share)) expect(parseFloat(share)).toBeCloseTo(expected, 0);
        // The list of classes shows the same share.
        const shown = await page.$eval(`[data-class="${name}"] .number`, (element) => element.textContent);
        expect(share).toBe(shown);
      }
      const colours = await page.$eval('canvas[data-layer="dense_1"]', (element) => {
        const canvas = element as HTMLCanvasElement;
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        return new Set(Array.from({ length: data.length / 4 }, (_, i) => data.slice(4 * i, 4 * i + 4).join())).size;
      });
      expect(colours).toBeGreaterThan(3); // with the colour of the gap, at least three for outputs
    });

    test('the kernel slides over the map, cell by cell', async () => {
      const page = await goTo({ fragment: '#bench?i=0&c=conv2d.3.4.5' });
      await click(page, '[data-slide-step]');
      await expect.poll(async () => (await lensOf(page)).cell).toBe('conv2d 3 0 0');
      await click(page, '[data-slide-step]');
      await expect.poll(async () => (await lensOf(page)).cell).toBe('conv2d 3 0 1');
      const { sum, value } = await lensOf(page);
      expect(Math.abs(sum - value)).toBeLessThanOrEqual(1e-4);
      await click(page, '[data-slide="paused"]');
      await expect.poll(async () => (await lensOf(page)).cell).toMatch(/^conv2d 3 [1-9]/); // the next rows
      await click(page, '[data-slide="playing"]');
      await page.keyboard.press('Escape');
      await expect.poll(async () => page.$('.lens.held')).toBeNull();
    });

    test('the state says which network is shown, and each has its own accuracy', async () => {
      const page = await goTo({ fragment: '#bench?i=0' });
      const accuracy = () => page.$$eval('#accuracy a', (all) => all.map((element) => element.textContent));
      const [trained] = await accuracy();
      const state = () => page.$eval('[data-state]', (element) => element.textContent?.trim() ?? '');
      expect(await state()).toMatch(/^Trained · epoch \d+$/);
      await page.focus('.epochs input');
      await page.keyboard.press('Home');
      await expect.poll(state).toMatch(/^Untrained/);
      expect(await accuracy()).not.toEqual([trained]);
      await click(page, '[data-state="other"]');
      await expect.poll(accuracy).toEqual([trained]);
    });
  };

  for (const name of existingReports(folder, ['mnist', 'fashion', 'letters', 'wide', 'hostile'])) {
    inOnePage(browser, pagePath(folder, name), (goTo) => {
      const isOneOf = (...names: ReportName[]) => names.includes(name);

      if (isOneOf('mnist', 'fashion'))
        test('in the cell of a notebook pad, layers, answer and lens stand in sight', async () => {
          const cell = { width: 900, height: 700, fragment: '#bench?i=0' };
          const page = await goTo(cell);
          for (const part of ['.pad canvas', '.strip', '.answer li:last-child', '.work figure:last-of-type', '.epochs'])
            expect(await isInSight(page, part), part).toBe(true);
          const [pad, strip, answer, lens] = await Promise.all(
            ['.pad', '.strip', '.answer', '.lens'].map((part) => boxOf(page, part)),
          );
          expect(pad.top).toBe(answer.top);
          expect(strip.left).toBeGreaterThan(pad.right);
          expect(strip.right).toBeLessThan(answer.left);
          expect(lens.top).toBeGreaterThanOrEqual(Math.max(strip.bottom, answer.bottom) - 1);
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(900);
        });

      if (isOneOf('mnist', 'fashion', 'letters'))
        test('the held cell stays in sight', async () => {
          const options = { width: 1280, height: 720, fragment: '#bench?i=0' };
          const page = await goTo(options);
          for (const { layer, shown } of await layersOf(page)) {
            await page.evaluate((hash) => (location.hash = hash), `#bench?i=0&c=${layer}.${shown - 1}.0.0`);
            await expect.poll(async () => (await lensOf(page)).cell).toBe(`${layer} ${shown - 1} 0 0`);
            const strip = await boxOf(page, '.strip');
            const inside = async () => {
              const held = await heldBox(page);
              // Firefox counts the stroke of the frame too, 4 pixels.
              return held.left >= strip.left - 5 && held.right <= strip.right + 5 && held.bottom <= strip.bottom + 5;
            };
            await expect.poll(inside, { message: layer }).toBe(true);
          }
        });

      if (isOneOf('mnist', 'fashion'))
        test('the input is grey in every view', async () => {
          const page = await goTo({ fragment: '#bench?i=0&c=conv2d.3.4.5' });
          const coloured = (selector: string) =>
            page.$$eval(selector, (canvases) =>
              (canvases as HTMLCanvasElement[]).map((canvas) => {
                const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
                let count = 0;
                for (let i = 0; i < data.length; i += 4)
                  if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) count += 1;
                return count;
              }),
            );
          const views = '.pad canvas, .examples canvas, canvas[data-layer="input"], .work canvas[aria-label="Input"]';
          const [first, ...others] = await coloured(views);
          expect(others.length).toBeGreaterThan(3);
          for (const count of [first, ...others]) expect(count).toBe(0);
          expect(Math.min(...(await coloured('canvas[data-layer="conv2d"]')))).toBeGreaterThan(0);
        });

      if (!isOneOf('mnist'))
        test('no class name is cut', async () => {
          for (const [width, height] of [
            [390, 844],
            [900, 700],
            [1280, 720],
          ]) {
            const options = { width, height, fragment: '#bench?i=0' };
            const page = await goTo(options);
            const cut = await page.$$eval('.answer :is(.name, .class)', (names) =>
              names.flatMap((name) => {
                const style = getComputedStyle(name);
                const range = document.createRange();
                range.selectNodeContents(name);
                const [text, box] = [range.getBoundingClientRect(), name.closest('.answer')!.getBoundingClientRect()];
                const isInside = text.left >= box.left - 1 && text.right <= box.right + 1;
                const isCut = style.overflow !== 'visible' || style.textOverflow === 'ellipsis' || !isInside;
                return isCut ? [name.textContent] : [];
              }),
            );
            expect(cut, String(width)).toEqual([]);
          }
        });

      if (name === 'mnist') testMnist(goTo);
    });
  }

  test('at 1280 × 720 the names of classes take nothing from the layers of cnn', async () => {
    const options = { width: 1280, height: 720, fragment: '#bench?i=0' };
    await visit(browser(), writeWithNames(), options, async ({ page }) => {
      expect(await page.$$eval('.answer .class', (all) => all.length)).toBe(NAMES.length);
      expect(await page.$eval('.answer .name', (element) => element.textContent)).toBe('Sneaker'); // a 7
      for (const box of ['.strip', '.classes']) {
        const [wide, room, high, height] = await page.$eval(box, (element) => [
          element.scrollWidth,
          element.clientWidth,
          element.scrollHeight,
          element.clientHeight,
        ]);
        expect(wide, box).toBeLessThanOrEqual(room + 1);
        expect(high, box).toBeLessThanOrEqual(height + 1);
      }
    });
  });

  test('a presentation fills the window with larger type, without tabs, until Escape', async () => {
    await visit(browser(), path, { width: 1920, height: 1080, fragment: '#bench?i=0' }, async ({ page }) => {
      const seen = () =>
        page.evaluate(() => ({
          type: parseFloat(getComputedStyle(document.querySelector('.answer .class')!).fontSize),
          tabs: document.querySelector('#tools')!.checkVisibility(),
          isWhole: document.documentElement.scrollHeight <= innerHeight + 1,
        }));
      const before = await seen();
      expect(before).toMatchObject({ type: 15, tabs: true });
      await page.keyboard.press('f');
      await expect.poll(seen).toMatchObject({ tabs: false, isWhole: true });
      expect((await seen()).type).toBeGreaterThan(16); // full screen may have another size than the window
      for (const part of ['.pad canvas', '.strip', '.answer li:last-child', '.lens', '.epochs'])
        expect(await isInSight(page, part), part).toBe(true);
      await page.keyboard.press('Escape');
      await expect.poll(seen).toEqual(before);
      await click(page, '[data-present]');
      await expect.poll(async () => (await seen()).tabs).toBe(false);
      await click(page, '[data-present]');
      await expect.poll(seen).toEqual(before);
    });
  });

  test('Back returns from an instrument, and from the bench to the place in the report', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      await openTab(page, 'ablations');
      await expect.poll(() => page.url()).toMatch(/t=ablations/);
      await page.goBack();
      await page.waitForSelector('[data-tab="how"][aria-selected="true"]');
      const image = await page.$('main img[data-split="test"]');
      await image!.evaluate((element) => element.scrollIntoView({ block: 'center', behavior: 'instant' }));
      const scrolled = await page.evaluate(() => scrollY);
      expect(scrolled).toBeGreaterThan(1000);
      await image!.click();
      await expect.poll(() => page.evaluate(() => scrollY)).toBe(0);
      await page.goBack();
      await expect.poll(() => page.evaluate((at) => Math.abs(scrollY - at), scrolled)).toBeLessThan(100);
    });
  });
});
