// Marks the elements that a task mentions by a style sheet, so that elements that appear later are marked too.
let sheet: CSSStyleSheet | null = null;

export function mark(selector: string | null): void {
  if (sheet === null) {
    if (selector === null) return;
    sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }
  const marked = 'outline: 2px solid var(--accent); outline-offset: var(--mark, 2px); border-radius: 4px';
  sheet.replaceSync(selector === null ? '' : `:is(${selector}) { ${marked} }`);
}

// Scrolls to what a task mentions, which may be out of sight on a telephone.
export function reveal(selector: string): void {
  const target = document.querySelector(selector);
  if (target === null || target.closest('.epochs') !== null) return; // the epochs are always in sight
  const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth';
  target.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior });
}
