// Remembers the reader's theme if the browser lets a local page store it. Lets Space and Enter choose a theme too, since the
// radio buttons look like one button; the arrow keys work without a script.
import { ground } from '../ui/theme.svelte';

const KEY = 'convscope-theme';

export function keepTheme(): void {
  const choices = [...document.querySelectorAll<HTMLInputElement>('input[name="theme"]')];
  let remembered: string | null = null;
  try {
    remembered = localStorage.getItem(KEY);
  } catch {
    // Storing is not allowed, so the system's theme is used.
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
        // Storing is not allowed, so the theme holds for this visit.
      }
    });
    radio.addEventListener('keydown', (event) => {
      if (event.key !== ' ' && event.key !== 'Enter') return;
      event.preventDefault();
      ground.read(); // it is read a frame after a change, and a key may be faster
      const opposite = choices.find(({ value }) => value === (ground.theme === 'dark' ? 'light' : 'dark'));
      opposite?.click();
      opposite?.focus();
    });
  }
}
