// The open lesson, its progress and the reader's prediction. Nothing is stored beyond the visit.
import { untrack } from 'svelte';
import type { Bench } from '../../state/bench.svelte';
import type { Lesson, Script, Task, Values } from './lesson';
import { LESSONS } from './lessons';

export const LIST = 'all'; // the id that opens the list of lessons

export interface LessonResult {
  correct: string; // the correct answer
  texts: string[];
  values: Values;
}

// The progress of the reader in a lesson.
export class Visit {
  done = $state(0); // number of tasks done
  found = $state.raw<LessonResult | null>(null);
  #valuesThen = $state.raw<Values | null>(null); // the values of the question when it was answered

  constructor(
    readonly bench: Bench,
    readonly id: string,
    readonly script: Script,
  ) {}

  // The answer that the reader chose; a link may hold one that the lesson does not have.
  get prediction(): string | null {
    return this.script.answers.find((answer) => answer === this.bench.answers[this.id]) ?? null;
  }
  answer(prediction: string): void {
    this.#valuesThen = this.script.values();
    this.bench.answers = { ...this.bench.answers, [this.id]: prediction };
  }
  get values(): Values {
    return this.#valuesThen ?? this.script.values();
  }

  get step(): 'predict' | 'try' | 'found' {
    return this.prediction === null ? 'predict' : this.found === null ? 'try' : 'found';
  }
  get task(): Task | null {
    return this.step === 'try' ? this.script.tasks[this.done] : null;
  }

  // Advances if the current task is done. An effect reruns it when the state that the task reads changes.
  checkTask(): void {
    if (this.task === null || !this.task.isDone()) return;
    untrack(() => {
      this.done += 1;
      if (this.done === this.script.tasks.length)
        this.found = { correct: this.script.correct(), ...this.script.found() };
    });
  }
}

// All lessons for the network of the page. A lesson gets a visit when it is opened, and keeps it until it begins again:
// its script, made anew, then compares with the state of the page at that time.
export class Course {
  readonly #visits = new Map<string, Visit>(); // by id of the lesson
  #restarts = $state(0); // changes when a lesson begins, since nothing follows the map itself

  constructor(readonly bench: Bench) {}

  readonly present: Lesson[] = $derived.by(() =>
    untrack(() => LESSONS.filter((lesson) => lesson.script(this.bench) !== null)),
  );
  readonly missing: Lesson[] = $derived.by(() => LESSONS.filter((lesson) => !this.present.includes(lesson)));
  readonly open: Lesson | null = $derived.by(() => LESSONS.find(({ id }) => id === this.bench.lesson) ?? null);
  // The visit to the open lesson; null in the list, or if the network lacks the lesson's subject.
  readonly visit: Visit | null = $derived.by(() => {
    void this.#restarts;
    const { open } = this;
    return open === null ? null : untrack(() => this.#visitOf(open));
  });
  // All lessons with their visits, for the sheet of answers.
  readonly visits: { lesson: Lesson; visit: Visit }[] = $derived.by(() => {
    void this.#restarts;
    return untrack(() => this.present.map((lesson) => ({ lesson, visit: this.#visitOf(lesson)! })));
  });
  readonly next: Lesson | null = $derived.by(() => {
    const index = this.open === null ? -1 : this.present.indexOf(this.open);
    return this.present[index + 1] ?? null;
  });

  #visitOf(lesson: Lesson): Visit | null {
    const visited = this.#visits.get(lesson.id);
    if (visited !== undefined) return visited;
    const script = lesson.script(this.bench);
    if (script === null) return null;
    const visit = new Visit(this.bench, lesson.id, script);
    this.#visits.set(lesson.id, visit);
    return visit;
  }

  isDone({ id }: Lesson): boolean {
    return this.#visits.get(id)?.step === 'found';
  }

  // Opens the list or a lesson; a lesson that is not done starts with its network and view.
  show(lesson: Lesson | null): void {
    const { bench } = this;
    if (lesson !== null && (this.#visits.get(lesson.id)?.step ?? 'predict') === 'predict') this.begin(lesson);
    else bench.lesson = lesson?.id ?? LIST;
  }

  begin(lesson: Lesson): void {
    const { bench } = this;
    bench.showTrained();
    bench.tab = 'how';
    if (bench.isEmpty) bench.choose(0);
    lesson.start?.(bench);
    this.#visits.delete(lesson.id);
    bench.answers = Object.fromEntries(Object.entries(bench.answers).filter(([id]) => id !== lesson.id));
    this.#restarts += 1;
    bench.lesson = lesson.id;
  }

  leave(): void {
    this.bench.lesson = null;
  }
}
