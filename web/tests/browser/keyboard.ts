// Finds what a reader cannot reach by keyboard, and what covers a control.
import type { KeyInput, Page } from 'puppeteer-core';

const CONTROLS =
  'a[href], button:enabled, input:enabled, select:enabled, textarea, summary, [tabindex="0"], [role="application"]';
const GROUP = '[role="toolbar"], [role="listbox"]'; // groups of controls with one Tab stop and arrow keys between them
const GROUP_KEYS: KeyInput[] = ['ArrowRight', 'End', 'Home'];
const MAX_STOPS = 400;

interface Walk {
  reached: Set<Element>;
  group: string;
  turns: Map<Element, number>; // by group, how often the focus came to one of its controls
  controls(part: string): HTMLElement[]; // the visible controls
  isCovered(element: HTMLElement): boolean; // cut off, or under something else
  nameOf(element: Element): string;
}

// Runs in the page: from now on, notes which controls get the focus.
const observeFocus = (selector: string, group: string): void => {
  const walk: Walk = {
    reached: new Set(),
    group,
    turns: new Map(),
    controls: (part) =>
      [...document.querySelectorAll(part)]
        .flatMap((root) => [...root.querySelectorAll<HTMLElement>(selector)])
        .filter((element) => element.checkVisibility({ visibilityProperty: true })),
    isCovered(element) {
      // Radio buttons are drawn as their labels, and the three of the theme as one of them.
      const shown = element.closest<HTMLElement>('.theme') ?? (element as HTMLInputElement).labels?.[0] ?? element;
      const { left, top, width, height } = shown.getClientRects()[0];
      return !shown.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    },
    nameOf: (element) => `${element.closest('[class]')?.className}: ${element.outerHTML.slice(0, 160)}`,
  };
  document.addEventListener('focusin', (event) => {
    const element = event.target as Element;
    walk.reached.add(element);
    const within = element.closest(group);
    if (within !== null) walk.turns.set(within, (walk.turns.get(within) ?? 0) + 1);
  });
  (window as unknown as { walk: Walk }).walk = walk;
};

async function prepare(page: Page): Promise<void> {
  if (await page.evaluate(() => !('walk' in window))) await page.evaluate(observeFocus, CONTROLS, GROUP);
}

// Lists the controls that a pointer cannot reach even after scrolling to them. Left out are example images for which the row
// has no room, since the picker beside it has all of them, and the button that shows only while it has the focus.
export async function coveredControls(page: Page, part: string): Promise<string[]> {
  await prepare(page);
  return page.evaluate((part) => {
    const { walk } = window as unknown as { walk: Walk };
    return walk
      .controls(part)
      .filter((element) => element.closest('.few, .skip') === null)
      .filter((element) => {
        element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
        return walk.isCovered(element);
      })
      .map((element) => `covered: ${walk.nameOf(element)}`);
  }, part);
}

// Lists the controls that the Tab key leaves out, by their attributes alone. Counts of a confusion matrix are left out, since
// arrow keys lead from one to the next.
export async function passedOver(page: Page, part: string): Promise<string[]> {
  await prepare(page);
  return page.evaluate((part) => {
    const { walk } = window as unknown as { walk: Walk };
    return walk
      .controls(part)
      .filter((element) => element.tabIndex < 0 && element.closest('.confusion') === null)
      .map((element) => `passed over: ${walk.nameOf(element)}`);
  }, part);
}

// Moves by Tab from the focus until it leaves the parts; in a group, by arrow keys through all its controls. Returns the
// controls that were covered when they had the focus, and those that never had it.
export async function walkByKeys(page: Page, parts: string): Promise<string[]> {
  await prepare(page);
  const findings: string[] = [];
  for (let stop = 0; ; stop++) {
    if (stop === MAX_STOPS) throw new Error(`${MAX_STOPS} stops do not lead out of ${parts}`);
    await page.keyboard.press('Tab');
    const { isOutside, covered, keys } = await page.evaluate(
      async (selector, parts, groupKeys) => {
        const { walk } = window as unknown as { walk: Walk };
        const element = document.activeElement as HTMLElement;
        const all = (part: string) => [...document.querySelectorAll<HTMLElement>(part)];
        let keys: string[] = [];
        if (element.matches('[role="tab"]')) keys = all('[role="tab"]').map(() => 'ArrowRight');
        else if (element.matches('[type="radio"]'))
          keys = all(`[name="${(element as HTMLInputElement).name}"]`).map(() => 'ArrowRight');
        else if (element.matches('.maps')) {
          // To the last layer, to the first one, back to this one, and to a cell of it.
          const layers = all('.maps');
          const [index, last] = [layers.indexOf(element), layers.length - 1];
          const times = (count: number, key: string) => Array.from({ length: count }, () => key);
          keys = [...times(last - index, ']'), ...times(last, '['), ...times(index, ']'), 'ArrowRight'];
        } else if (element.closest(walk.group) !== null) keys = groupKeys;
        const isCovered = () => element.matches(selector) && walk.isCovered(element);
        // When the page has scrolled to it, a panel beside it may open a frame later.
        for (let i = 0; i < 2 && isCovered(); i++) await new Promise((resolve) => requestAnimationFrame(resolve));
        return {
          isOutside: element.closest(parts) === null,
          covered: isCovered() ? [`covered: ${walk.nameOf(element)}`] : [],
          keys,
        };
      },
      CONTROLS,
      parts,
      GROUP_KEYS,
    );
    if (isOutside) break;
    findings.push(...covered);
    for (const key of keys) {
      await page.keyboard.press(key as KeyInput);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve))); // until it is drawn
    }
  }
  const missed = await page.evaluate(
    (parts, numKeys) => {
      const { walk } = window as unknown as { walk: Walk };
      // In a group, each arrow key moved the focus once after Tab had brought it there, so its other controls work too.
      const isWalked = (group: Element | null) => group !== null && (walk.turns.get(group) ?? 0) > numKeys;
      return walk
        .controls(parts)
        .filter((element) => !walk.reached.has(element) && !isWalked(element.closest(walk.group)))
        .map((element) => `not reached: ${walk.nameOf(element)}`);
    },
    parts,
    GROUP_KEYS.length,
  );
  return [...findings, ...missed];
}
