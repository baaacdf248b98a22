// Keeps texts outside of components in the reader's language, such as those that the script adds to the report.
import { untrack } from 'svelte';
import { chosen } from './say.svelte';

const writers: (() => void)[] = [];

// Calls `write` now, and again when the reader chooses another language.
export function onLanguage(write: () => void): void {
  write();
  writers.push(write);
  if (writers.length > 1) return;
  $effect.root(() => {
    $effect(() => {
      void chosen.texts; // read, so that the effect runs again when it changes
      untrack(() => writers.forEach((writer) => writer()));
    });
  });
}
