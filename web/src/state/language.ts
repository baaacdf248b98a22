// The language of the page: the one of the link, of the browser, or the one that the reader chooses. English is in the
// script; the others lie in the page, deflated, as #texts-de and so on, and are opened when they are chosen. The keys of
// their texts lie there once, as #texts-keys.
import { inflate } from '../payload/unpack';
import { LANGUAGES, type Language, type Texts } from '../text/catalogue';
import en from 'catalogues/en.json';
import { chosen } from '../text/say.svelte';

const opened = new Map<Language, Texts>([['en', en]]);
const packedIn = (language: Language | 'keys') => document.getElementById(`texts-${language}`);

// Those that this page has.
export function languages(): Language[] {
  return (Object.keys(LANGUAGES) as Language[]).filter(
    (language) => opened.has(language) || packedIn(language) !== null,
  );
}

// The first language of the browser that the page has. Regions are ignored, scripts are not.
export function preferredLanguage(): Language {
  const written = (tag: string) => {
    const { language, script } = new Intl.Locale(tag).maximize();
    return `${language} ${script}`;
  };
  for (const wanted of navigator.languages) {
    const match = languages().find((language) => written(language) === written(wanted));
    if (match !== undefined) return match;
  }
  return 'en';
}

async function listIn<T>(name: Language | 'keys'): Promise<T[]> {
  return JSON.parse(new TextDecoder().decode(await inflate(packedIn(name)!.textContent ?? '')));
}

function setText(texts: Texts, [name, ...rest]: string[], text: Texts[string]): void {
  if (rest.length === 0) texts[name] = text;
  else setText((texts[name] ??= {}) as Texts, rest, text);
}

let last: Language = 'en'; // that was asked for, so that one that opens slowly does not replace a later one

export async function chooseLanguage(language: Language): Promise<void> {
  if (!languages().includes(language)) return;
  last = language;
  let texts = opened.get(language);
  if (texts === undefined) {
    const [keys, values] = await Promise.all([listIn<string>('keys'), listIn<Texts[string]>(language)]);
    texts = {};
    for (const [i, key] of keys.entries()) setText(texts, key.split('.'), values[i]);
    opened.set(language, texts);
  }
  if (language !== last) return;
  chosen.texts = texts;
  chosen.language = language;
  document.documentElement.lang = language;
}
