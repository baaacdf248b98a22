// Makes each cell of the report's confusion matrix open its images.
import { mount, unmount } from 'svelte';
import { say } from '../text/say.svelte';
import { onLanguage } from '../text/follow.svelte';
import type { Bench } from '../state/bench.svelte';
import { ARROWS } from '../ui/arrows';
import { button } from './bench_link';
import CellImages from './CellImages.svelte';

export function extendMatrix(bench: Bench): void {
  const table = document.querySelector<HTMLTableElement>('table.confusion');
  if (table === null) return;
  const counts = bench.payload.evaluation.confusion_matrix;
  const buttons = counts.map((row) => row.map((): HTMLButtonElement | null => null));
  const panel = document.createElement('div');
  (table.closest('.scroll') ?? table).after(panel);

  let open: { component: ReturnType<typeof mount>; at: HTMLButtonElement } | null = null;
  function close(): void {
    if (open === null) return;
    void unmount(open.component);
    open.at.setAttribute('aria-expanded', 'false');
    open = null;
  }
  function show(at: HTMLButtonElement, truth: number, predicted: number): void {
    const again = open?.at === at;
    close();
    if (again) return;
    at.setAttribute('aria-expanded', 'true');
    const onclose = () => {
      close();
      at.focus();
    };
    open = { component: mount(CellImages, { target: panel, props: { bench, truth, predicted, onclose } }), at };
  }

  // Of all cells one is in the order of the Tab key; arrows go on from it, over the empty ones.
  let stop: HTMLButtonElement | null = null;
  function stopAt(at: HTMLButtonElement): void {
    if (stop !== null) stop.tabIndex = -1;
    stop = at;
    at.tabIndex = 0;
  }
  function move(event: KeyboardEvent, truth: number, predicted: number): void {
    const step = ARROWS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    let [row, column] = [truth + step[0], predicted + step[1]];
    while (buttons[row]?.[column] === null) [row, column] = [row + step[0], column + step[1]];
    buttons[row]?.[column]?.focus();
  }

  const corner = table.rows[0]?.cells[0];
  if (corner) onLanguage(() => (corner.dataset.value = say('report_tools.corner'))); // in the download
  for (const cell of table.querySelectorAll<HTMLTableCellElement>('td[data-true]')) {
    const [truth, predicted] = [Number(cell.dataset.true), Number(cell.dataset.predicted)];
    const count = counts[truth]?.[predicted];
    if (count === undefined) continue;
    cell.dataset.value = String(count); // for the download; an empty cell is a zero
    if (count === 0) continue;
    const shown = cell.textContent ?? '';
    const made = button('confused', () => show(made, truth, predicted));
    made.textContent = shown;
    const names = { truth: bench.classNames[truth], predicted: bench.classNames[predicted], count: shown };
    onLanguage(() => {
      const isRight = truth === predicted;
      made.title = say(isRight ? 'report_tools.correct' : 'report_tools.wrong', names);
      made.setAttribute('aria-label', say(isRight ? 'report_tools.showCorrect' : 'report_tools.showWrong', names));
    });
    made.setAttribute('aria-expanded', 'false');
    made.tabIndex = -1;
    made.addEventListener('focus', () => stopAt(made));
    made.addEventListener('keydown', (event) => move(event, truth, predicted));
    cell.replaceChildren(made);
    buttons[truth][predicted] = made;
    if (stop === null) stopAt(made);
  }
}
