// The report below the live view: how long it is while it is folded, and what a click opens.
import { expect, inject, test } from 'vitest';
import { inEachBrowser, inOnePage, visit } from './open';
import { pagePath } from './reports';

const [WIDTH, HEIGHT] = [1440, 900];
const MAX_SCREENS = 5; // of the whole page, the live view among them

inEachBrowser((browser) => {
  test('a page without a live view shows the section that its address names', async () => {
    await visit(
      browser(),
      pagePath(inject('reports'), 'prediction'),
      { fragment: '#picture-1', started: false },
      async ({ page }) => {
        expect(await page.$eval('#picture-1 h2', (heading) => getComputedStyle(heading).visibility)).toBe('visible');
      },
    );
  });

  inOnePage(browser, pagePath(inject('reports'), 'mnist'), (goTo) => {
    test.each(['en', 'de', 'zh-CN'])('the folded page has at most five screens in %s', async (language) => {
      const page = await goTo({ fragment: `#bench?lang=${language}`, width: WIDTH, height: HEIGHT });
      await page.waitForSelector(`html[lang="${language}"]`);
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      expect(height).toBeLessThanOrEqual(MAX_SCREENS * HEIGHT);
    });

    test('the mistakes stand beside the confusion matrix', async () => {
      const page = await goTo({ width: WIDTH, height: HEIGHT });
      const tops = await page.$$eval('#evaluation .row > figure', (all) =>
        all.map((figure) => Math.round(figure.getBoundingClientRect().top)),
      );
      expect(tops).toHaveLength(2);
      expect(tops[1]).toBe(tops[0]);
    });

    test('the report names layers as the live view does', async () => {
      const page = await goTo({ fragment: '#bench?i=0&lang=en', width: WIDTH, height: HEIGHT });
      await page.waitForSelector('html[lang="en"] .strip [data-column] .head b');
      const names = await page.$$eval('#maps h3', (all) =>
        all.map((heading) => {
          const { layer } = (heading.nextElementSibling!.nextElementSibling as HTMLElement).dataset;
          const live = document.querySelector(`.strip [data-column="${layer}"] .head b`);
          return { report: heading.textContent!.split(':')[0], live: live?.textContent?.trim() };
        }),
      );
      expect(names.map(({ report }) => report)).toEqual([
        'Convolution 1',
        'Max pooling 1',
        'Convolution 2',
        'Max pooling 2',
      ]);
      expect(names.map(({ live }) => live)).toEqual(names.map(({ report }) => report));
    });

    test('twelve cards of filters are shown, and a click shows the others', async () => {
      const page = await goTo({ width: WIDTH, height: HEIGHT });
      await page.$eval('#filters > details', (fold) => (fold.open = true));
      const countShown = () =>
        page.$$eval('#filters .gallery > div', (all) => all.filter((card) => card.checkVisibility()).length);
      expect(await countShown()).toBe(12);
      for (const more of await page.$$('#filters figure > details > summary')) {
        await more.evaluate((summary) => (summary as HTMLElement).click());
      }
      expect(await countShown()).toBe(48);
    });
  });
});
