// What a reader reaches without a pointer, and what stands in the way of one.
import type { KeyInput, Page } from 'puppeteer-core';

const CONTROLS =
  'a[href], button:enabled, input:enabled, select:enabled, textarea, summary, [tabindex="0"], [role="application"]';
const MOST_STOPS = 400;

interface Walk {
  reached: Set<Element>;
  controls(part: string): HTMLElement[]; // those that can be seen
  isCovered(one: HTMLElement): boolean; // cut off, or under something else
  nameOf(one: Element): string;
}

const inPage = (selector: string): void => {
  const walk: Walk = {
    reached: new Set(),
    controls: (part) =>
      [...document.querySelectorAll(part)]
        .flatMap((root) => [...root.querySelectorAll<HTMLElement>(selector)])
        .filter((one) => one.checkVisibility({ visibilityProperty: true })),
    isCovered(one) {
      const shown = (one as HTMLInputElement).labels?.[0] ?? one; // radio buttons are drawn as their labels
      const { left, top, width, height } = shown.getClientRects()[0];
      return !shown.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    },
    nameOf: (one) => `${one.closest('[class]')?.className}: ${one.outerHTML.slice(0, 160)}`,
  };
  document.addEventListener('focusin', (event) => walk.reached.add(event.target as Element));
  (window as unknown as { walk: Walk }).walk = walk;
};

async function prepare(page: Page): Promise<void> {
  if (await page.evaluate(() => !('walk' in window))) await page.evaluate(inPage, CONTROLS);
}

// Controls that no pointer gets at, also when they are scrolled to. Images of which a row shows as many as it has room
// for are all in the choice beside it.
export async function coveredControls(page: Page, part: string): Promise<string[]> {
  await prepare(page);
  return page.evaluate((part) => {
    const { walk } = window as unknown as { walk: Walk };
    return walk
      .controls(part)
      .filter((one) => one.closest('.few, .skip') === null)
      .filter((one) => {
        one.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
        return walk.isCovered(one);
      })
      .map(walk.nameOf);
  }, part);
}

// Goes from the top by Tab until the report, and at each stop that stands for several by their keys through all of them.
// Returns what it could not see at its turn, and what it never came to.
export async function walkByKeys(page: Page, parts: string): Promise<{ covered: string[]; missed: string[] }> {
  await prepare(page);
  const covered: string[] = [];
  for (let stop = 0; ; stop++) {
    if (stop === MOST_STOPS) throw new Error(`the report is not reached by ${MOST_STOPS} stops`);
    await page.keyboard.press('Tab');
    const found = await page.evaluate((selector) => {
      const { walk } = window as unknown as { walk: Walk };
      const one = document.activeElement as HTMLElement;
      const others = (group: string) => [...document.querySelectorAll<HTMLElement>(group)];
      let keys: string[] = [];
      if (one.matches('[role="tab"]')) keys = others('[role="tab"]').map(() => 'ArrowRight');
      else if (one.matches('[type="radio"]'))
        keys = others(`[name="${(one as HTMLInputElement).name}"]`).flatMap(() => ['ArrowRight', 'ArrowRight']);
      else if (one.matches('.maps')) {
        const layers = others('.maps');
        const [at, last] = [layers.indexOf(one), layers.length - 1];
        const times = (count: number, key: string) => Array.from({ length: count }, () => key);
        keys = [...times(last - at, ']'), ...times(last, '['), ...times(at, ']'), 'ArrowRight'];
      }
      return {
        isReport: one.closest('main') !== null,
        covered: one.matches(selector) && walk.isCovered(one) ? [walk.nameOf(one)] : [],
        keys,
      };
    }, CONTROLS);
    if (found.isReport) break;
    covered.push(...found.covered);
    for (const key of found.keys) {
      await page.keyboard.press(key as KeyInput);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve))); // what it leads to is there
    }
  }
  const missed = await page.evaluate((parts) => {
    const { walk } = window as unknown as { walk: Walk };
    return walk
      .controls(parts)
      .filter((one) => !walk.reached.has(one))
      .map(walk.nameOf);
  }, parts);
  return { covered, missed };
}
