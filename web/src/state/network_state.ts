// Names the network on the bench for the header, and its accuracy if it was measured.
import type en from 'catalogues/en.json';
import { listed, say } from '../text/say.svelte';
import type { Bench } from './bench.svelte';

export interface NetworkState {
  text: string;
  isTrained: boolean; // true only for the page's own trained model
  accuracy: number | null; // of this network; null if not measured
  measured: string; // says on which images it was measured
}

export function networkState(bench: Bench): NetworkState {
  const { payload, modelIndex, epoch, ablations, trained } = bench;
  const { evaluation } = payload;
  const history = modelIndex === 0 ? payload.history : payload.baseline_history;
  const removed = ablations.length === 0 ? [] : [removedText(bench)];
  if (trained !== null) {
    const { isTraining, epoch, accuracy, numSample } = trained;
    const text = say(isTraining ? 'state.trainingHere' : 'state.trainedHere', { epoch });
    const measured = removed.length > 0 ? undefined : (accuracy ?? undefined);
    return stateOfChanged([text, ...removed], measured, measuredOnFirst(bench.images.split, numSample));
  }
  if (payload.made !== undefined) {
    const { from, epoch: n } = payload.made;
    const text = from === 'classes' ? say('symbols.chip') : say('symbols.chipTrained', { n });
    if (removed.length > 0) return stateOfChanged([text, ...removed]);
    const measured = measuredOnFirst(evaluation.split, evaluation.num_images);
    return { text, isTrained: bench.isOnPage, accuracy: evaluation.accuracy ?? null, measured };
  }
  const name = modelIndex === 0 ? [] : [bench.model.name];
  if (epoch !== null) {
    const when = epoch === 0 ? say('state.untrained') : say('state.epoch', { epoch });
    const accuracy = removed.length > 0 ? undefined : history?.val_accuracy[epoch - 1];
    return stateOfChanged([...name, when, ...removed], accuracy, measuredOn(history?.val_split ?? evaluation.split));
  }
  const measured = measuredOn(evaluation.split);
  if (modelIndex !== 0) {
    const accuracy = (payload.comparison?.b as { accuracy?: number } | undefined)?.accuracy;
    return stateOfChanged([...name, ...removed], removed.length > 0 ? undefined : accuracy, measured);
  }
  if (removed.length > 0) return stateOfChanged(removed);
  const epochs = history?.best_epoch ?? history?.loss.length ?? 0;
  if (payload.untrained) return { text: say('state.untrained'), isTrained: true, accuracy: null, measured };
  const text = epochs > 0 ? say('state.trainedAt', { epoch: epochs }) : say('state.trained');
  return { text, isTrained: true, accuracy: evaluation.accuracy ?? null, measured };
}

function stateOfChanged(texts: string[], accuracy?: number, measured = ''): NetworkState {
  return { text: texts.join(' · '), isTrained: false, accuracy: accuracy ?? null, measured };
}

const measuredOn = (split: string): string => say(`state.accuracyOn.${split as keyof typeof en.state.accuracyOn}`);
const measuredOnFirst = (split: string, n: number): string =>
  say(`state.accuracyOnFirst.${split as keyof typeof en.state.accuracyOnFirst}`, { n });

function removedText({ replacements, ablations }: Bench): string {
  const parts = ablations.filter(({ part }) => part !== 'filter').length;
  const texts = [];
  if (replacements.length > 0) texts.push(say('state.filtersRemoved', { n: replacements.length }));
  if (parts > 0) texts.push(say('state.partsRemoved', { n: parts }));
  return listed(texts);
}
