// The table of contents: marks the section that is being read, and opens and keeps in view the section that a link leads to.

const LINE = 25; // % of the window's height from its top: the section at this height is the one that is being read

function scrollIntoList(link: HTMLElement): void {
  const list = link.closest('ol');
  if (list === null || list.scrollHeight <= list.clientHeight) return;
  const [linkBox, listBox] = [link.getBoundingClientRect(), list.getBoundingClientRect()];
  if (linkBox.top < listBox.top) list.scrollTop -= listBox.top - linkBox.top;
  if (linkBox.bottom > listBox.bottom) list.scrollTop += linkBox.bottom - listBox.bottom;
}

// Finds the section of the report that a fragment names, and opens it if it is folded.
function openSection(hash: string): Element | null {
  const section = document.querySelector(`main > section[id="${CSS.escape(hash.slice(1))}"]`);
  const fold = section?.querySelector<HTMLDetailsElement>(':scope > details.fold');
  if (fold) fold.open = true;
  return section;
}

// Scrolls again to the section of the address, since the bench above it has moved it down.
function goToSection(): void {
  openSection(location.hash)?.scrollIntoView({ behavior: 'instant' });
}

// Opens the section of a link before the browser follows it, even if the address names the section already.
function followLink(event: MouseEvent): void {
  const link = (event.target as Element).closest<HTMLAnchorElement>('a[href^="#"]');
  if (link === null) return;
  const section = openSection(link.hash);
  const nav = link.closest('nav');
  if (nav?.matches(':popover-open')) nav.hidePopover();
  // In a frame whose document is an attribute of the page around it, a link would lead into that page.
  if (section === null || link.href.split('#')[0] === location.href.split('#')[0]) return;
  event.preventDefault();
  section.scrollIntoView({ behavior: 'instant' });
}

export function followSections(): void {
  goToSection();
  document.addEventListener('click', followLink);
  window.addEventListener('hashchange', () => openSection(location.hash));
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
          scrollIntoList(link);
        } else link.removeAttribute('aria-current');
      }
    },
    { rootMargin: `-${LINE}% 0px -${100 - LINE}% 0px` },
  );
  for (const section of links.keys()) observer.observe(section);
}
