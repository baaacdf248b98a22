// Remembers which theme the reader has chosen, where the browser lets a page from a disk remember, and lets the keys of a
// button choose, since it looks like one; arrow keys choose without a script.
import { ground } from '../ui/theme.svelte';

const KEY = 'convscope-theme';

export function keepTheme(): void {
  const choices = [...document.querySelectorAll<HTMLInputElement>('input[name="theme"]')];
  let remembered: string | null = null;
  try {
    remembered = localStorage.getItem(KEY);
  } catch {
    // Nothing is remembered, and the system chooses.
  }
  const choice = choices.find((option) => option.value === remembered);
  if (choice !== undefined && !choice.checked) {
    choice.checked = true;
    choice.dispatchEvent(new Event('change', { bubbles: true }));
  }
  for (const one of choices) {
    one.addEventListener('change', () => {
      try {
        if (one.checked) localStorage.setItem(KEY, one.value);
      } catch {
        // It holds for this visit.
      }
    });
    one.addEventListener('keydown', (event) => {
      if (event.key !== ' ' && event.key !== 'Enter') return;
      event.preventDefault();
      const other = choices.find(({ value }) => value === (ground.theme === 'dark' ? 'light' : 'dark'));
      other?.click();
      other?.focus();
    });
  }
}
