// What went wrong, for the reader: the key of a text and its values. It is written in the reader's language where it is
// shown, also when it comes from a worker, which has no catalogue.
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

// An error as a message can hold it. Errors without a text are for developers.
export function errorTextOf(error: unknown): ErrorText | string {
  if (error instanceof TextError) return { key: error.key, values: error.values };
  return error instanceof Error ? error.message : String(error);
}
