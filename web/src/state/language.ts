// The language of the page: of the link, of the browser, or chosen by the reader. English is in the script. The texts of other
// languages are in the page, deflated, as #texts-de and so on, and are unpacked when they are chosen; #texts-keys has their keys.
import { inflate } from '../payload/unpack';
import { LANGUAGES, type Language, type Texts } from '../text/catalogue';
import en from 'catalogues/en.json';
import { chosen } from '../text/say.svelte';

const opened = new Map<Language, Texts>([['en', en]]);
const packedIn = (language: Language | 'keys') => document.getElementById(`texts-${language}`);

// Lists the languages that this page has.
export function languages(): Language[] {
  return (Object.keys(LANGUAGES) as Language[]).filter(
    (language) => opened.has(language) || packedIn(language) !== null,
  );
}

// Finds the first language of the browser that the page has. Regions are ignored, scripts are not.
export function preferredLanguage(): Language {
  const languageAndScript = (tag: string) => {
    const { language, script } = new Intl.Locale(tag).maximize();
    return `${language} ${script}`;
  };
  for (const wanted of navigator.languages) {
    const match = languages().find((language) => languageAndScript(language) === languageAndScript(wanted));
    if (match !== undefined) return match;
  }
  return 'en';
}

async function unpackList<T>(name: Language | 'keys'): Promise<T[]> {
  return JSON.parse(new TextDecoder().decode(await inflate(packedIn(name)!.textContent ?? '')));
}

function setText(texts: Texts, [name, ...rest]: string[], text: Texts[string]): void {
  if (rest.length === 0) texts[name] = text;
  else setText((texts[name] ??= {}) as Texts, rest, text);
}

let lastChoice: Language = 'en'; // an earlier choice that is unpacked later must not replace it

// Shows the page in this language, after its texts are unpacked.
export async function chooseLanguage(language: Language): Promise<void> {
  if (!languages().includes(language)) return;
  lastChoice = language;
  let texts = opened.get(language);
  if (texts === undefined) {
    const [keys, values] = await Promise.all([unpackList<string>('keys'), unpackList<Texts[string]>(language)]);
    texts = {};
    for (const [i, key] of keys.entries()) setText(texts, key.split('.'), values[i]);
    opened.set(language, texts);
  }
  if (language !== lastChoice) return;
  chosen.texts = texts;
  chosen.language = language;
  document.documentElement.lang = language;
}
