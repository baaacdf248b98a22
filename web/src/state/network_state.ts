// Which network is on the bench, in words, and the accuracy that is known of just that network.
import type { Bench } from './bench.svelte';

export interface NetworkState {
  text: string;
  isTrained: boolean; // the page's own model as Python has it, and nothing else
  accuracy: number | null; // of this very network; null if it was not measured
  split: string; // on which
}

export function networkState(bench: Bench): NetworkState {
  const { payload, modelIndex, epoch, lesions, trained } = bench;
  const { evaluation } = payload;
  const history = modelIndex === 0 ? payload.history : payload.baseline_history;
  const removed = lesions.length === 0 ? [] : [removedText(bench)];
  if (trained !== null) {
    const { isTraining, epoch, accuracy, sample } = trained;
    const texts = [isTraining ? 'Training here' : 'Trained here', `epoch ${epoch}`, ...removed];
    const measured = removed.length > 0 ? undefined : (accuracy ?? undefined);
    return other(texts, measured, `first ${sample} ${bench.images.split}`);
  }
  const name = modelIndex === 0 ? [] : [bench.model.name];
  if (epoch !== null) {
    const when = epoch === 0 ? 'Untrained' : `Epoch ${epoch}`;
    const measured = removed.length > 0 ? undefined : history?.val_accuracy[epoch - 1];
    return other([...name, when, ...removed], measured, history?.val_split);
  }
  if (modelIndex !== 0) {
    const measured = (payload.comparison?.b as { accuracy?: number } | undefined)?.accuracy;
    return other([...name, ...removed], removed.length > 0 ? undefined : measured, evaluation.split);
  }
  if (removed.length > 0) return other(removed);
  const epochs = history?.best_epoch ?? history?.loss.length ?? 0;
  if (payload.untrained) return { text: 'Untrained', isTrained: true, accuracy: null, split: evaluation.split };
  const text = epochs > 0 ? `Trained model · epoch ${epochs}` : 'Trained model';
  return { text, isTrained: true, accuracy: evaluation.accuracy, split: evaluation.split };
}

function other(texts: string[], accuracy?: number, split = ''): NetworkState {
  return { text: texts.join(' · '), isTrained: false, accuracy: accuracy ?? null, split };
}

const several = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;

function removedText({ replacements, lesions }: Bench): string {
  const parts = lesions.filter(({ part }) => part !== 'filter').length;
  const texts = [];
  if (replacements.length > 0) texts.push(`${several(replacements.length, 'filter')} removed`);
  if (parts > 0) texts.push(`${several(parts, 'part')} removed`);
  return texts.join(', ');
}
