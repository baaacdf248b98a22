// The reader's own classes: examples, their network, and unsaved changes.
import type { Architecture, Weights } from '../engine/types';
import { HELD_OUT_EVERY, MIN_CLASSES, MAX_CLASSES, MAX_EXAMPLES } from '../training/own_classes';
import type { OwnClass, Start } from '../training/own_classes';
import type { Recipe } from '../training/recipe';
import type { Score } from '../training/score';
import { say } from '../text/say.svelte';
import type { Subject } from './bench.svelte';

export interface OwnNetwork {
  classes: readonly OwnClass[]; // the classes at the time of training
  architecture: Architecture;
  weights: Weights;
  start: Start;
  recipe: Recipe;
  seed: number;
  numTrain: number; // number of training examples
  seconds: number; // duration of the training
  heldOut: Score | null; // null if no example was held out
  subject: Subject; // puts the network on the bench
}

const MAX_STEPS = 100; // steps that can be undone
export const MAX_NAME_LENGTH = 40; // letters

export class OwnClasses {
  classes = $state.raw<readonly OwnClass[]>([]);
  network = $state.raw<OwnNetwork | null>(null);
  #undoStack = $state.raw<readonly (readonly OwnClass[])[]>([]);
  #saved = $state.raw<readonly OwnClass[]>([]);
  #ids = 0;

  // Starts with the classes of a saved page, or with two empty ones.
  constructor(saved: readonly { name: string; examples: readonly Uint8Array[] }[] = []) {
    this.classes =
      saved.length > 0
        ? saved.map(({ name, examples }) => ({ id: this.#ids++, name, examples }))
        : [this.#newClass([]), this.#newClass(['A'])];
    this.#saved = this.classes; // nothing is lost yet
  }

  readonly count = $derived.by(() => this.classes.reduce((sum, { examples }) => sum + examples.length, 0));
  readonly canUndo = $derived.by(() => this.#undoStack.length > 0);
  // True if the reader would lose examples by leaving the page.
  readonly isUnsaved = $derived.by(() => this.count > 0 && !sameExamples(this.classes, this.#saved));
  readonly isEveryClassFilled = $derived.by(() => this.classes.every(({ examples }) => examples.length > 0));
  readonly holdsOut = $derived.by(() => this.classes.every(({ examples }) => examples.length >= HELD_OUT_EVERY));
  // True if examples or classes changed after training.
  readonly isOutdated = $derived.by(() => this.network !== null && this.network.classes !== this.classes);

  #newClass(taken: readonly string[]): OwnClass {
    const letters = Array.from({ length: MAX_CLASSES }, (_, i) => String.fromCharCode(65 + i));
    const name = letters.find((letter) => !taken.includes(letter)) ?? String(this.#ids);
    return { id: this.#ids++, name, examples: [] };
  }

  #change(classes: readonly OwnClass[]): void {
    this.#undoStack = [...this.#undoStack, this.classes].slice(-MAX_STEPS);
    this.classes = classes;
  }

  #edit(id: number, change: Partial<OwnClass>): void {
    this.#change(this.classes.map((entry) => (entry.id === id ? { ...entry, ...change } : entry)));
  }

  undo(): void {
    const last = this.#undoStack.at(-1);
    if (last === undefined) return;
    this.#undoStack = this.#undoStack.slice(0, -1);
    this.classes = last;
  }

  get isFull(): boolean {
    return this.classes.length >= MAX_CLASSES;
  }
  get hasFewestClasses(): boolean {
    return this.classes.length <= MIN_CLASSES;
  }

  addClass(): void {
    if (!this.isFull) this.#change([...this.classes, this.#newClass(this.classes.map(({ name }) => name))]);
  }

  removeClass(id: number): void {
    if (!this.hasFewestClasses) this.#change(this.classes.filter((entry) => entry.id !== id));
  }

  // Renames a class. Returns a sentence if the name is not possible.
  rename(id: number, wanted: string): string | null {
    const name = wanted.replace(/\s+/g, ' ').trim();
    const others = this.classes.filter((entry) => entry.id !== id);
    if (name === '') return say('symbols.noName');
    if ([...name].length > MAX_NAME_LENGTH) return say('symbols.longName', { n: MAX_NAME_LENGTH });
    if (others.some((entry) => entry.name === name)) return say('symbols.sameName', { name });
    if (this.classes.some((entry) => entry.id === id && entry.name !== name)) this.#edit(id, { name });
    return null;
  }

  // Adds examples up to the limit. Returns a sentence if some were left out.
  add(id: number, images: readonly Uint8Array[]): string | null {
    const own = this.classes.find((entry) => entry.id === id);
    if (own === undefined || images.length === 0) return null;
    const free = MAX_EXAMPLES - own.examples.length;
    if (free > 0) this.#edit(id, { examples: [...own.examples, ...images.slice(0, free)] });
    return images.length > free ? say('symbols.fullClass', { name: own.name, n: MAX_EXAMPLES }) : null;
  }

  removeExample(id: number, at: number): void {
    const own = this.classes.find((entry) => entry.id === id);
    if (own !== undefined) this.#edit(id, { examples: own.examples.filter((_, i) => i !== at) });
  }

  markSaved(classes: readonly OwnClass[]): void {
    this.#saved = classes;
  }
}

function sameExamples(first: readonly OwnClass[], second: readonly OwnClass[]): boolean {
  return (
    first.length === second.length &&
    first.every(({ name, examples }, i) => {
      const before = second[i];
      return name === before.name && sameArray(examples, before.examples);
    })
  );
}

const sameArray = <T>(first: readonly T[], second: readonly T[]) =>
  first.length === second.length && first.every((value, i) => value === second[i]);
