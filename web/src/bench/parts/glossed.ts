// Finds the terms in a text that is put together of data, such as the facts about a layer.
import { ACTIVATIONS, termOf, type Activation } from '../../engine/activations';
import type { TermName } from '../../ui/terms';

// Words under which a term stands there.
const WORDS: Record<string, TermName> = {
  Conv2D: 'convolution',
  DepthwiseConv2D: 'depthwise convolution',
  MaxPooling2D: 'max pooling',
  AveragePooling2D: 'average pooling',
  GlobalAveragePooling2D: 'global pooling',
  GlobalMaxPooling2D: 'global pooling',
  Flatten: 'flatten',
  ZeroPadding2D: 'zero padding',
  Dropout: 'dropout',
  BatchNormalization: 'batch normalisation',
  Activation: 'activation function',
  PReLU: 'prelu',
  Add: 'addition',
  Branch: 'branch',
  Concatenate: 'concatenation',
  SoftVoting: 'soft voting',
  Dense: 'dense',
  weights: 'weight',
  schedule: 'schedule',
  'label smoothing': 'label smoothing',
  augmentation: 'augmentation',
};
for (const name of Object.keys(ACTIVATIONS) as Activation[]) {
  const term = termOf(name);
  if (term !== null) WORDS[name] = term;
}
const PATTERN = new RegExp(`\\b(${Object.keys(WORDS).join('|')})\\b`);

export interface Piece {
  text: string;
  term: TermName | null;
}

// The text in pieces, of which every second one is a term. A term that is known already is left as it is.
export function piecesOf(text: string, known: ReadonlySet<TermName> = new Set()): Piece[] {
  const seen = new Set(known);
  const pieces: Piece[] = [];
  text.split(PATTERN).forEach((part, i) => {
    const term = i % 2 === 1 && !seen.has(WORDS[part]) ? WORDS[part] : null;
    if (term !== null) seen.add(term);
    if (part !== '') pieces.push({ text: part, term });
  });
  return pieces;
}

// For each group of texts the terms that stand in those before it, and need not be explained again.
export function termsBefore(groups: string[][]): Set<TermName>[] {
  const seen = new Set<TermName>();
  return groups.map((texts) => {
    const before = new Set(seen);
    for (const { term } of texts.flatMap((text) => piecesOf(text))) if (term !== null) seen.add(term);
    return before;
  });
}
