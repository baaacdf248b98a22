// Commands that the page shows.
import type { Payload } from '../../payload/types';

// Quotes a word for a shell: my data becomes 'my data'.
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

// The data set in a run's record. Null: the data have test images of their own, or the images are as in the file.
interface RecordedData {
  argument?: string; // a name or a path; empty for arrays in memory
  options?: { test_fraction: number | null; seed: number; image_size: [number, number] | null; skip_damaged: boolean };
}

// Writes the command that evaluates a model file on the test images of the page's data, loaded with the options of the run.
export function evaluateCommand(payload: Payload, file: string): string {
  const { argument = payload.data.name, options } = (payload.record.dataset ?? {}) as RecordedData;
  const words = ['convscope', 'evaluate', file, '--dataset', argument === '' ? 'DATASET' : argument, '--split', 'test'];
  if (options?.test_fraction != null) {
    words.push('--test-fraction', String(options.test_fraction), '--split-seed', String(options.seed));
  }
  if (options?.image_size != null) words.push('--image-size', options.image_size.join('x'));
  if (options?.skip_damaged) words.push('--skip-damaged');
  return words.map(quote).join(' ');
}
