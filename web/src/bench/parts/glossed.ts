// Finds glossary terms in composed texts, such as the facts about a layer.
import { ACTIVATIONS, termOf, type Activation } from '../../engine/activations';
import { LAYER_KINDS } from '../../engine/layers';
import type { TermName } from '../../ui/terms';

// The words of such texts that stand for a term.
const WORDS: Record<string, TermName> = {
  weights: 'weight',
  schedule: 'schedule',
  'label smoothing': 'label smoothing',
  augmentation: 'augmentation',
};
for (const [kind, { term }] of Object.entries(LAYER_KINDS)) WORDS[kind] = term;
for (const name of Object.keys(ACTIVATIONS) as Activation[]) {
  const term = termOf(name);
  if (term !== null) WORDS[name] = term;
}
const PATTERN = new RegExp(`\\b(${Object.keys(WORDS).join('|')})\\b`);

export interface Piece {
  text: string;
  term: TermName | null;
}

// Splits a text into pieces with and without a term. A term that is explained already stays plain text.
export function piecesOf(text: string, known: ReadonlySet<TermName> = new Set()): Piece[] {
  const seen = new Set(known);
  const pieces: Piece[] = [];
  // The pattern's group makes `split` keep the matches, at odd indices: "a Dense layer" gives "a ", "Dense", " layer".
  text.split(PATTERN).forEach((part, i) => {
    const term = i % 2 === 1 && !seen.has(WORDS[part]) ? WORDS[part] : null;
    if (term !== null) seen.add(term);
    if (part !== '') pieces.push({ text: part, term });
  });
  return pieces;
}

// Collects for each group of texts the terms of earlier groups, which need no second explanation.
export function termsBefore(groups: string[][]): Set<TermName>[] {
  const seen = new Set<TermName>();
  return groups.map((texts) => {
    const before = new Set(seen);
    for (const { term } of texts.flatMap((text) => piecesOf(text))) if (term !== null) seen.add(term);
    return before;
  });
}
