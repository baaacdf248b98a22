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
  for (const radio of choices) {
    radio.addEventListener('change', () => {
      try {
        if (radio.checked) localStorage.setItem(KEY, radio.value);
      } catch {
        // It holds for this visit.
      }
    });
    radio.addEventListener('keydown', (event) => {
      if (event.key !== ' ' && event.key !== 'Enter') return;
      event.preventDefault();
      const opposite = choices.find(({ value }) => value === (ground.theme === 'dark' ? 'light' : 'dark'));
      opposite?.click();
      opposite?.focus();
    });
  }
}
