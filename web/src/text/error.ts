// Errors for the reader: the key of a text and its values. The text is looked up where it is shown, in the reader's language,
// since errors also come from a worker, which has no catalogue.
import type { Key, Value } from './catalogue';

export interface ErrorText {
  key: Key;
  values: Record<string, Value>;
}

export class TextError extends Error implements ErrorText {
  constructor(
    readonly key: Key,
    readonly values: Record<string, Value> = {},
    options?: ErrorOptions,
  ) {
    super(`${key} ${JSON.stringify(values)}`, options);
  }
}

// Converts an error to what a worker's message can hold. An error without a text is for developers.
export function errorTextOf(error: unknown): ErrorText | string {
  if (error instanceof TextError) return { key: error.key, values: error.values };
  return error instanceof Error ? error.message : String(error);
}
