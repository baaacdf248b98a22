// The page in every language that it has: nothing is cut off, and switching changes texts and numbers at once.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { LANGUAGES } from '../../src/text/catalogue';
import { openTab, tabsOf } from './bench';
import { inEachBrowser, inOnePage, resize, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');
const SIZES = [
  [360, 780],
  [900, 700],
  [1280, 720],
];
const TEXTS = join(import.meta.dirname, '../../../src/convscope/texts/catalogues');
const WRITTEN = Object.keys(LANGUAGES).filter((language) => existsSync(join(TEXTS, `${language}.json`)));
const LONGEST = ['de', 'fr']; // the longest texts: letters are as wide in Firefox, so only these are tested there

// Elements whose own text is partly cut off, in the header and the live view. A run's name (.run) ends in an ellipsis on
// purpose, and a clip-path marks texts that only screen readers read.
const cutOff = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('header *, #bench *')]
      .filter((element) => {
        if (element.matches('option, select, canvas, svg *, .run') || element.getClientRects().length === 0)
          return false;
        const isClipping = (style: CSSStyleDeclaration) => ['hidden', 'clip'].includes(style.overflowX);
        const hides = isClipping(getComputedStyle(element)) && getComputedStyle(element).clipPath === 'none';
        const ownText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent!.trim() !== '');
        if (!ownText) return false;
        if (hides && element.scrollWidth > element.clientWidth + 1) return true;
        // An outer element may cut it off too, unless the outer one scrolls or is hidden itself.
        const { right } = element.getBoundingClientRect();
        for (let outer = element.parentElement; outer !== null && outer.id !== 'bench'; outer = outer.parentElement) {
          const style = getComputedStyle(outer);
          if (style.clipPath !== 'none' || ['auto', 'scroll'].includes(style.overflowX)) return false;
          if (isClipping(style) && right > outer.getBoundingClientRect().right + 1) return true;
        }
        return false;
      })
      .map((element) => `${element.tagName}.${element.className}: ${element.textContent!.trim()}`),
  );

// Parts of the header that lie over each other. A title whose h1 is hidden is a pixel wide.
const overlapping = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const parts = ['header h1 b', '#state', '#tools', '#accuracy', '#badge', '#share', '.theme'].flatMap((selector) => {
      const element = document.querySelector(selector)!;
      const isShown = (element.closest('h1') ?? element).getBoundingClientRect().width > 1;
      return isShown ? [{ selector, box: element.getBoundingClientRect() }] : [];
    });
    return parts.flatMap((a, i) =>
      parts
        .slice(i + 1)
        .filter(
          ({ box }) =>
            a.box.top < box.bottom &&
            box.top < a.box.bottom &&
            a.box.right > box.left + 1 &&
            box.right > a.box.left + 1,
        )
        .map((b) => `${a.selector} and ${b.selector}`),
    );
  });

// Texts of the report's drawings that leave their drawing or lie over another.
const drawnOver = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    for (const fold of document.querySelectorAll<HTMLDetailsElement>('main details.fold')) fold.open = true;
    const SPARE = 4; // pixels that the box of a line is larger than its letters
    const within = (inner: DOMRect, outer: DOMRect) =>
      inner.left >= outer.left - SPARE &&
      inner.right <= outer.right + SPARE &&
      inner.top >= outer.top - SPARE &&
      inner.bottom <= outer.bottom + SPARE;
    // The box of a line is higher than its letters, so that lines may overlap a little more downwards.
    const meet = (a: DOMRect, b: DOMRect) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5;
    return [...document.querySelectorAll('main figure[data-chart] .chart > svg')].flatMap((svg) => {
      const texts = [...svg.querySelectorAll('text')].map((text) => ({
        isTranslated: text.hasAttribute('data-say'),
        written: text.textContent!,
        box: text.getBoundingClientRect(),
      }));
      const cut = texts.filter(({ box }) => !within(box, svg.getBoundingClientRect()));
      // Numbers of an axis may touch each other; words, whose length depends on the language, may touch nothing.
      const over = texts.flatMap((a, i) =>
        texts.slice(i + 1).filter((b) => (a.isTranslated || b.isTranslated) && meet(a.box, b.box)),
      );
      return [...cut, ...over].map(({ written }) => `${svg.getAttribute('aria-label')}: ${written}`);
    });
  });

const languageOf = (page: Page) => page.evaluate(() => document.documentElement.lang);

inEachBrowser((browser, name) => {
  const languages = name === 'firefox' ? LONGEST : WRITTEN;
  inOnePage(browser, path, (goTo) => {
    test.each(languages)('in %s nothing is cut off at 360, 900 and 1280 px', async (language) => {
      const page = await goTo({ fragment: `#bench?i=0&lang=${language}` });
      await expect.poll(() => languageOf(page)).toBe(language);
      for (const tab of await tabsOf(page)) {
        await openTab(page, tab);
        for (const [width, height] of SIZES) {
          await resize(page, { width, height });
          if (tab === 'how') expect(await overlapping(page), `header at ${width}`).toEqual([]);
          expect(await cutOff(page), `${tab} at ${width}`).toEqual([]);
          const [shown, all] = await page.evaluate(() => {
            const { clientWidth, scrollWidth } = document.documentElement;
            return [clientWidth, scrollWidth];
          });
          expect(all, `${tab} at ${width}`).toBeLessThanOrEqual(shown);
        }
      }
    });

    test.each(languages)("in %s the texts of the report's drawings have room", async (language) => {
      const page = await goTo({ fragment: `#bench?i=0&lang=${language}` });
      await expect.poll(() => languageOf(page)).toBe(language);
      expect(await drawnOver(page)).toEqual([]);
    });
  });

  inOnePage(browser, pagePath(inject('reports'), 'wide'), (goTo) => {
    test.each(languages)('in %s header and lead have room on wider screens', async (language) => {
      for (const width of [1280, 1440, 1600, 1920]) {
        const page = await goTo({ width, fragment: `#bench?i=0&lang=${language}` });
        await expect.poll(() => languageOf(page)).toBe(language);
        expect(await overlapping(page), String(width)).toEqual([]);
        expect(await cutOff(page), String(width)).toEqual([]);
        const run = await page.$eval('header .run', (element) => element.getBoundingClientRect().right);
        const state = await page.$eval('#state', (element) => element.getBoundingClientRect().left);
        expect(run, String(width)).toBeLessThanOrEqual(state);
      }
    });
  });

  test('a link opens it in a language, and switching changes texts, numbers and link and keeps what is shown', async () => {
    await visit(browser(), path, { fragment: '#bench?i=3&lang=de' }, async ({ page }) => {
      const seen = () =>
        page.evaluate(() => ({
          language: document.documentElement.lang,
          tool: document.querySelector('[data-tab="filter"]')!.textContent!.trim(),
          answer: document.querySelector<HTMLElement>('#answer')!.dataset.answer,
          accuracy: document.querySelector('#accuracy')!.textContent!.trim(),
          about: document.querySelector<HTMLElement>('#accuracy a')!.title,
          heading: document.querySelector('#training h2')!.textContent,
          cell: document.querySelector('#classes td:nth-child(4)')!.textContent,
          axis: document.querySelector('figure[data-chart="training-loss"] svg [data-say*="charts.epoch"]')!
            .textContent,
          spoken: document.querySelector('.diagram')!.getAttribute('aria-label'),
          hash: location.hash,
        }));
      const choose = (language: string) => page.select('.languages select', language);
      await page.evaluate(() => ((window as unknown as { kept: boolean }).kept = true));
      expect(await seen()).toMatchObject({ language: 'de', tool: 'Filter' });
      await choose('en');
      await expect.poll(async () => (await seen()).hash).not.toContain('lang');
      const english = await seen();
      expect(english).toMatchObject({ language: 'en', tool: 'Filters', heading: 'Training', axis: 'epoch' });
      expect(english.spoken).toBe('Diagram of the layers');
      expect(english.about).toMatch(/^Accuracy on/);
      expect(english.accuracy).toMatch(/^\d+\.\d\d %$/);

      await choose('de');
      await expect.poll(async () => (await seen()).hash).toContain('lang=de');
      const german = await seen();
      expect(german).toMatchObject({ language: 'de', tool: 'Filter', answer: english.answer, axis: 'Epoche' });
      expect(german.spoken).toBe('Diagramm der Schichten');
      expect(german.about).toMatch(/^Genauigkeit auf/);
      expect(german.accuracy).toBe(english.accuracy.replace('.', ',').replace(' ', '\u00a0'));
      expect(german.cell).toBe(english.cell!.replace('.', ','));

      await choose('en');
      await expect.poll(async () => (await seen()).hash).not.toContain('lang');
      expect(await seen()).toEqual({ ...english, hash: (await seen()).hash });
      expect(await page.evaluate(() => (window as unknown as { kept?: boolean }).kept)).toBe(true); // no reload
    });
  });
});
