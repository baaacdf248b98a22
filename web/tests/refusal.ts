// Reads the messages of errors, for tests.
import { messageOf } from '../src/text/say.svelte';

// Runs work that must throw an error, and returns the sentence that the reader sees.
export async function refusal(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return messageOf(error);
  }
  throw new Error('nothing was refused');
}
