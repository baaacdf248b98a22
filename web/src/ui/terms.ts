// The terms that the page explains, by their English names. Their meanings, each in a sentence or two, stand in the
// catalogue. Terms that the report's glossary also has mean the same there.
import type en from 'catalogues/en.json';

export type TermName = keyof typeof en.terms;
