// Texts outside of components follow the language too, such as those that the script adds to the report.
import { untrack } from 'svelte';
import { chosen } from './say.svelte';

const writers: (() => void)[] = [];

// Writes now, and again in every language that is chosen later.
export function onLanguage(write: () => void): void {
  write();
  writers.push(write);
  if (writers.length > 1) return;
  $effect.root(() => {
    $effect(() => {
      void chosen.texts;
      untrack(() => writers.forEach((writer) => writer()));
    });
  });
}
