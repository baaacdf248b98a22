// Links from the report to the bench: put an image or a map on it, and scroll there.
import type { Bench } from '../state/bench.svelte';
import { onLanguage } from '../text/follow.svelte';
import { leaveEntry } from '../state/fragment.svelte';

// Restores the scroll position that `goToBench` stored when the reader goes back. Browsers restore it only roughly if both
// addresses lead to the same section.
export function restoreScrollOnBack(): void {
  window.addEventListener('popstate', ({ state }: PopStateEvent) => {
    const offset = (state as { scrolled?: number } | null)?.scrolled;
    if (offset !== undefined) requestAnimationFrame(() => window.scrollTo({ top: offset, behavior: 'instant' }));
  });
}

// Scrolls to the bench. The browser's history gets an entry of its own for it, so that Back returns to the report.
export function goToBench(): void {
  try {
    history.replaceState({ scrolled: window.scrollY }, '');
  } catch {
    // The browser, which refused it, restores the position by itself.
  }
  leaveEntry();
  const target = document.getElementById('bench');
  if (target === null) return;
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  target.tabIndex = -1;
  target.focus({ preventScroll: true });
  window.scrollTo({ top: 0, behavior: still ? 'auto' : 'smooth' });
}

export function putImage(bench: Bench, position: number): void {
  if (!bench.isOnPage) bench.showTrained();
  bench.choose(position);
  goToBench();
}

// Holds the middle of a map of the report's model on the bench.
export function holdMap(bench: Bench, layer: string, map: number): void {
  if (bench.modelIndex !== 0) bench.show(0);
  const row = bench.table.find((row) => row.layer.name === layer);
  // A network that trained in the page may have lost the layer.
  if (row !== undefined && map < row.outputShape[row.outputShape.length - 1]) {
    bench.holdMap(layer, map);
    bench.tab = 'filter';
  }
  goToBench();
}

export function makeButton(className: string, onclick: () => void): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = className;
  made.addEventListener('click', onclick);
  return made;
}

// Wraps an element in a button. Its title follows the language that the reader chooses.
export function wrapInButton(element: Element, title: () => string, onclick: () => void): void {
  const made = makeButton('onto-bench', onclick);
  onLanguage(() => (made.title = title()));
  element.replaceWith(made);
  made.append(element);
}
