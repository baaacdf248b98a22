// The parts of a lesson. Its texts are in the catalogue under `lessons.ID`: `title`, `question`, `answers.*`,
// `tasks.*`, `found` or others that it names, and `missing` if there are networks that lack its subject. A text says only
// what the page has computed: a task is not done by a result that shows nothing, and a conclusion has a text for each case.
import type { Bench } from '../../state/bench.svelte';
import type { Value } from '../../text/catalogue';

export type Values = Record<string, Value>;

export interface Task {
  id: string; // the id of its text in the catalogue
  at: string; // selects the elements that the task mentions, to mark them
  // True if the state of the page shows that the task was done. It may store numbers for the conclusion.
  isDone: () => boolean;
  show?: () => void; // puts on the page what the task is about, for a button in it
}

export interface Script {
  values: () => Values; // for the texts of the question, the answers and the tasks
  answers: string[]; // the answers to the question, in the order on the page
  tasks: Task[];
  correct: () => string; // the correct answer
  found: () => { texts: string[]; values: Values }; // the conclusion, once every task is done
}

export interface Lesson {
  id: string;
  start?: (bench: Bench) => void; // puts an image on the page with which the lesson can begin
  // Null if the network of the page lacks the subject.
  script: (bench: Bench) => Script | null;
}

// Selectors for tasks: a layer in the flow, a closed tool, and the window controls of the lens.
export const column = (layer: string) => `.strip [data-column="${CSS.escape(layer)}"]`;
export const tab = (id: string) => `[data-tab="${id}"][aria-selected="false"]`;
export const SLIDE = '.lens .slide';
