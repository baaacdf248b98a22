// What a reader reaches without a pointer, and what stands in the way of one.
import type { KeyInput, Page } from 'puppeteer-core';

const CONTROLS =
  'a[href], button:enabled, input:enabled, select:enabled, textarea, summary, [tabindex="0"], [role="application"]';
const GROUP = '[role="toolbar"], [role="listbox"]'; // many that are alike, with one stop and arrow keys between them
const GROUP_KEYS: KeyInput[] = ['ArrowRight', 'End', 'Home'];
const MOST_STOPS = 400;

interface Walk {
  reached: Set<Element>;
  group: string;
  turns: Map<Element, number>; // by group, how often the focus came to one of it
  controls(part: string): HTMLElement[]; // those that can be seen
  isCovered(one: HTMLElement): boolean; // cut off, or under something else
  nameOf(one: Element): string;
}

const inPage = (selector: string, group: string): void => {
  const walk: Walk = {
    reached: new Set(),
    group,
    turns: new Map(),
    controls: (part) =>
      [...document.querySelectorAll(part)]
        .flatMap((root) => [...root.querySelectorAll<HTMLElement>(selector)])
        .filter((one) => one.checkVisibility({ visibilityProperty: true })),
    isCovered(one) {
      // Radio buttons are drawn as their labels, and the three of the theme as one of them.
      const shown = one.closest<HTMLElement>('.theme') ?? (one as HTMLInputElement).labels?.[0] ?? one;
      const { left, top, width, height } = shown.getClientRects()[0];
      return !shown.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    },
    nameOf: (one) => `${one.closest('[class]')?.className}: ${one.outerHTML.slice(0, 160)}`,
  };
  document.addEventListener('focusin', (event) => {
    const one = event.target as Element;
    walk.reached.add(one);
    const within = one.closest(group);
    if (within !== null) walk.turns.set(within, (walk.turns.get(within) ?? 0) + 1);
  });
  (window as unknown as { walk: Walk }).walk = walk;
};

async function prepare(page: Page): Promise<void> {
  if (await page.evaluate(() => !('walk' in window))) await page.evaluate(inPage, CONTROLS, GROUP);
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
      .map((one) => `covered: ${walk.nameOf(one)}`);
  }, part);
}

// Controls that Tab leaves out, without going through all of them. Arrow keys lead from one count of a confusion matrix to
// the next.
export async function passedOver(page: Page, part: string): Promise<string[]> {
  await prepare(page);
  return page.evaluate((part) => {
    const { walk } = window as unknown as { walk: Walk };
    return walk
      .controls(part)
      .filter((one) => one.tabIndex < 0 && one.closest('.confusion') === null)
      .map((one) => `passed over: ${walk.nameOf(one)}`);
  }, part);
}

// Goes by Tab from where the focus is until it leaves the parts, and at each stop that stands for several by their keys
// through all of them. Returns what it could not see at its turn, and what it never
// came to.
export async function walkByKeys(page: Page, parts: string): Promise<string[]> {
  await prepare(page);
  const found: string[] = [];
  for (let stop = 0; ; stop++) {
    if (stop === MOST_STOPS) throw new Error(`${MOST_STOPS} stops do not lead out of ${parts}`);
    await page.keyboard.press('Tab');
    const { isOutside, covered, keys } = await page.evaluate(
      async (selector, parts, groupKeys) => {
        const { walk } = window as unknown as { walk: Walk };
        const one = document.activeElement as HTMLElement;
        const others = (group: string) => [...document.querySelectorAll<HTMLElement>(group)];
        let keys: string[] = [];
        if (one.matches('[role="tab"]')) keys = others('[role="tab"]').map(() => 'ArrowRight');
        else if (one.matches('[type="radio"]'))
          keys = others(`[name="${(one as HTMLInputElement).name}"]`).map(() => 'ArrowRight');
        else if (one.matches('.maps')) {
          const layers = others('.maps');
          const [at, last] = [layers.indexOf(one), layers.length - 1];
          const times = (count: number, key: string) => Array.from({ length: count }, () => key);
          keys = [...times(last - at, ']'), ...times(last, '['), ...times(at, ']'), 'ArrowRight'];
        } else if (one.closest(walk.group) !== null) keys = groupKeys;
        const isCovered = () => one.matches(selector) && walk.isCovered(one);
        // What opens beside it may follow after a frame when the page has scrolled to it.
        for (let i = 0; i < 2 && isCovered(); i++) await new Promise((resolve) => requestAnimationFrame(resolve));
        return {
          isOutside: one.closest(parts) === null,
          covered: isCovered() ? [`covered: ${walk.nameOf(one)}`] : [],
          keys,
        };
      },
      CONTROLS,
      parts,
      GROUP_KEYS,
    );
    if (isOutside) break;
    found.push(...covered);
    for (const key of keys) {
      await page.keyboard.press(key as KeyInput);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve))); // what it leads to is there
    }
  }
  const missed = await page.evaluate(
    (parts, keys) => {
      const { walk } = window as unknown as { walk: Walk };
      const isKnown = (group: Element | null) => group !== null && (walk.turns.get(group) ?? 0) > keys;
      return walk
        .controls(parts)
        .filter((one) => !walk.reached.has(one) && !isKnown(one.closest(walk.group)))
        .map((one) => `not reached: ${walk.nameOf(one)}`);
    },
    parts,
    GROUP_KEYS.length,
  );
  return [...found, ...missed];
}
