// Links for a class: an instrument alone, a layer, a language, and the sheet of answers.
import { expect, inject, test } from 'vitest';
import { click, lensOf } from './bench';
import { inEachBrowser, inOnePage } from './open';
import { pagePath } from './reports';

inEachBrowser((browser, name) => {
  inOnePage(browser, pagePath(inject('reports'), 'mnist'), (goTo) => {
    test('an embedded lens is all that is shown, in a link of its own', async () => {
      const fragment = '#bench?i=0&c=conv2d_1.3&embed=lens';
      const page = await goTo({ fragment, width: 900, height: 420 });
      const seen = await page.evaluate(() =>
        ['header', '.sheet', '.pad', '.flow', '.answer', '.epochs', '.lens'].filter(
          (selector) => document.querySelector(selector)?.checkVisibility() ?? false,
        ),
      );
      expect(seen).toEqual(['.lens']);
      expect((await lensOf(page)).cell).toBe('conv2d_1 3 5 5');
      const sizes = await page.evaluate(() => [
        document.documentElement.scrollWidth - innerWidth,
        document.documentElement.scrollHeight - innerHeight,
      ]);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(0);
      expect(page.url().split('#')[1]).toBe(fragment.slice(1));
      await goTo();
      expect(await page.$eval('header', (header) => header.checkVisibility())).toBe(true);
    });

    test('zh opens the page in Simplified Chinese', async () => {
      const page = await goTo({ fragment: '#bench?lang=zh' });
      await page.waitForSelector('html[lang="zh-CN"]');
      await goTo({ fragment: '#bench?lang=en' });
      await page.waitForSelector('html[lang="en"]');
    });

    test('a link holds the answers, and the sheet that is printed has them', async () => {
      const page = await goTo({ fragment: '#bench?i=0&n=all&a=pixels.numbers,convolution.nonsense' });
      await page.waitForSelector('[data-print]');
      const printed = name === 'chromium'; // Firefox has no emulation of print media
      if (printed) await page.emulateMediaType('print');
      const sheet = await page.$eval('.handout', (element) => ({
        isShown: element.checkVisibility(),
        questions: element.querySelectorAll('section').length,
        chosen: [...element.querySelectorAll('.chosen')].map((answer) => answer.textContent?.trim()),
        text: element.textContent!.replace(/\s+/g, ' ').trim(),
      }));
      const others = await page.evaluate(() =>
        ['header', '.sheet', '.pad', '.epochs', '.list'].filter((selector) =>
          document.querySelector(selector)?.checkVisibility(),
        ),
      );
      if (printed) await page.emulateMediaType('screen');
      if (printed) expect(others).toEqual([]);
      expect(sheet).toMatchObject({
        isShown: printed,
        questions: 8,
        chosen: ['784 numbers, the brightness of its pixels'],
      });
      expect(sheet.text).toMatch(/^My answers mnist · cnn Name ?Class ?Date/);
      expect(await page.$eval('.handout', (element) => element.checkVisibility())).toBe(false);
      // The lesson goes on after its question.
      await click(page, '[data-open-lesson="convolution"]');
      await click(page, '[data-predict="same"]');
      await expect.poll(() => page.url()).toContain('a=pixels.numbers,convolution.same');
    });
  });
});
