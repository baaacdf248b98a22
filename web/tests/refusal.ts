import { messageOf } from '../src/text/say.svelte';

// What is said where something is refused, in the reader's words.
export async function refusal(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return messageOf(error);
  }
  throw new Error('nothing was refused');
}
