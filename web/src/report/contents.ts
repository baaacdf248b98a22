// The contents: marks the section that is being read, and keeps a link to one at its place.

// Of the window's height from above: what lies there is read.
const LINE = 25; // %

function show(link: HTMLElement): void {
  const list = link.closest('ol');
  if (list === null || list.scrollHeight <= list.clientHeight) return;
  const [at, room] = [link.getBoundingClientRect(), list.getBoundingClientRect()];
  if (at.top < room.top) list.scrollTop -= room.top - at.top;
  if (at.bottom > room.bottom) list.scrollTop += at.bottom - room.bottom;
}

// Goes again to the section that the page was opened at: the bench, which now stands above it, has moved it down.
function goToSection(): void {
  const link = [...document.querySelectorAll<HTMLAnchorElement>('nav a')].find(({ hash }) => hash === location.hash);
  if (link !== undefined) document.getElementById(link.hash.slice(1))?.scrollIntoView({ behavior: 'instant' });
}

export function followSections(): void {
  goToSection();
  const links = new Map<Element, HTMLElement>();
  for (const link of document.querySelectorAll<HTMLAnchorElement>('nav a[href^="#"]')) {
    const section = document.getElementById(link.hash.slice(1));
    if (section !== null) links.set(section, link);
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const link = links.get(target)!;
        if (isIntersecting) {
          link.setAttribute('aria-current', 'location');
          show(link);
        } else link.removeAttribute('aria-current');
      }
    },
    { rootMargin: `-${LINE}% 0px -${100 - LINE}% 0px` },
  );
  for (const section of links.keys()) observer.observe(section);
}
