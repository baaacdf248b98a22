// Makes each cell of the report's confusion matrix open its images.
import { mount, unmount } from 'svelte';
import { say } from '../text/say.svelte';
import { onLanguage } from '../text/follow.svelte';
import type { Bench } from '../state/bench.svelte';
import { ARROWS } from '../ui/arrows';
import { makeButton } from './bench_link';
import CellImages from './CellImages.svelte';

// Adds a panel after an element. The returned function shows the images of a cell in it, or closes them if they are shown.
function makePanel(bench: Bench, element: Element): (at: HTMLButtonElement, truth: number, predicted: number) => void {
  const panel = document.createElement('div');
  element.after(panel);
  let open: { component: ReturnType<typeof mount>; at: HTMLButtonElement } | null = null;
  function close(): void {
    if (open === null) return;
    void unmount(open.component);
    open.at.setAttribute('aria-expanded', 'false');
    open = null;
  }
  return (at, truth, predicted) => {
    const wasOpen = open?.at === at;
    close();
    if (wasOpen) return;
    at.setAttribute('aria-expanded', 'true');
    const onclose = () => {
      close();
      at.focus();
    };
    open = { component: mount(CellImages, { target: panel, props: { bench, truth, predicted, onclose } }), at };
  };
}

export function extendMatrix(bench: Bench): void {
  const table = document.querySelector<HTMLTableElement>('table.confusion');
  if (table === null) return;
  const counts = bench.payload.evaluation.confusion_matrix;
  const buttons = counts.map((row) => row.map((): HTMLButtonElement | null => null));
  const toggle = makePanel(bench, table.closest('.scroll') ?? table);

  // The Tab key reaches only this cell. Arrow keys move on from it and skip empty cells.
  let tabStop: HTMLButtonElement | null = null;
  function moveTabStop(at: HTMLButtonElement): void {
    if (tabStop !== null) tabStop.tabIndex = -1;
    tabStop = at;
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
  if (corner) onLanguage(() => (corner.dataset.value = say('report_tools.corner'))); // for the download: the text of the corner
  for (const cell of table.querySelectorAll<HTMLTableCellElement>('td[data-true]')) {
    const [truth, predicted] = [Number(cell.dataset.true), Number(cell.dataset.predicted)];
    const count = counts[truth]?.[predicted];
    if (count === undefined) continue;
    cell.dataset.value = String(count); // for the download; an empty cell is a zero
    if (count === 0) continue;
    const shown = cell.textContent ?? '';
    const made = makeButton('confused', () => toggle(made, truth, predicted));
    made.textContent = shown;
    const names = { truth: bench.classNames[truth], predicted: bench.classNames[predicted], count: shown };
    onLanguage(() => {
      const isCorrect = truth === predicted;
      made.title = say(isCorrect ? 'report_tools.correct' : 'report_tools.wrong', names);
      made.setAttribute('aria-label', say(isCorrect ? 'report_tools.showCorrect' : 'report_tools.showWrong', names));
    });
    made.setAttribute('aria-expanded', 'false');
    made.tabIndex = -1;
    made.addEventListener('focus', () => moveTabStop(made));
    made.addEventListener('keydown', (event) => move(event, truth, predicted));
    cell.replaceChildren(made);
    buttons[truth][predicted] = made;
    if (tabStop === null) moveTabStop(made);
  }
}
