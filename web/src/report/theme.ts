// Remembers which theme the reader has chosen, where the browser lets a page from a disk remember.
const KEY = 'convscope-theme';

export function keepTheme(): void {
  const choices = [...document.querySelectorAll<HTMLInputElement>('input[name="theme"]')];
  let remembered: string | null = null;
  try {
    remembered = localStorage.getItem(KEY);
  } catch {
    // Nothing is remembered, and the system chooses.
  }
  const choice = choices.find((one) => one.value === remembered);
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
  }
}
