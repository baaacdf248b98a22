// From the report to the bench: an image or a map is put on it, and the page goes there.
import type { Bench } from '../state/bench.svelte';
import { onLanguage } from '../text/follow.svelte';
import { leaveEntry } from '../state/fragment.svelte';

// The entry that Back returns to remembers where the reader was: browsers restore that only nearly where the address
// of both entries leads to the same section.
export function returnToPlaces(): void {
  window.addEventListener('popstate', ({ state }: PopStateEvent) => {
    const offset = (state as { scrolled?: number } | null)?.scrolled;
    if (offset !== undefined) requestAnimationFrame(() => window.scrollTo({ top: offset, behavior: 'instant' }));
  });
}

export function goToBench(): void {
  try {
    history.replaceState({ scrolled: window.scrollY }, '');
  } catch {
    // A browser that is asked too often, or not allowed to, restores the place by itself.
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

// Holds the middle of a map of the report's model.
export function holdMap(bench: Bench, layer: string, map: number): void {
  if (bench.modelIndex !== 0) bench.show(0);
  const row = bench.table.find((row) => row.layer.name === layer);
  // A network that trained in the page may have lost the layer.
  if (row !== undefined && map < row.outputShape[row.outputShape.length - 1]) {
    const [rows, columns] = row.outputShape.length === 3 ? row.outputShape : [1, 1];
    bench.held = { layer, map, row: Math.floor(rows / 2), column: Math.floor(columns / 2) };
    bench.tab = 'filter';
  }
  goToBench();
}

export function button(className: string, onclick: () => void): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = className;
  made.addEventListener('click', onclick);
  return made;
}

// Wraps an element in a button. Its title follows the language that the reader chooses.
export function intoButton(element: Element, title: () => string, onclick: () => void): void {
  const made = button('onto-bench', onclick);
  onLanguage(() => (made.title = title()));
  element.replaceWith(made);
  made.append(element);
}
