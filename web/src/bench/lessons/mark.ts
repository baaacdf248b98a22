// Marks what a task speaks of by a style sheet of its own, so that parts of the page that appear later are marked too.
let sheet: CSSStyleSheet | null = null;

export function mark(selector: string | null): void {
  if (sheet === null) {
    if (selector === null) return;
    sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }
  const marked = 'outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px';
  sheet.replaceSync(selector === null ? '' : `:is(${selector}) { ${marked} }`);
}
