// Describes the conditions of a training in words.
import type { Augmentation } from '../../engine/types';
import { digits, listed, say } from '../../text/say.svelte';
import { isChange } from '../../training/experiments';

type Change = Exclude<keyof Augmentation, 'elastic_sigma'>;

// Lists the changes of images, "shift 2, rotation 12"; empty without any.
export function augmentationText(augmentation: Augmentation): string {
  const changes = Object.entries(augmentation).filter(isChange) as [Change, number][];
  if (changes.length === 0) return '';
  return listed(changes.map(([name, size]) => say(`training.changes.${name}`, { size: digits(String(size)) })));
}
