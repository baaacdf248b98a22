// Names the network on the bench for the header, and its accuracy if it was measured.
import type en from 'catalogues/en.json';
import { listed, number, say } from '../text/say.svelte';
import type { Bench } from './bench.svelte';

export interface NetworkState {
  text: string;
  isOwn: boolean; // true for the network with which the page opens
  accuracy: number | null; // of this network; null if not measured
  measured: string; // says on which images it was measured
}

export function networkState(bench: Bench): NetworkState {
  const { payload, modelIndex, epoch, ablations, trained } = bench;
  const { evaluation } = payload;
  const history = modelIndex === 0 ? payload.history : payload.baseline_history;
  const removed = ablations.length === 0 && !bench.isChanged ? [] : [removedText(bench)];
  const ifWhole = (accuracy?: number) => (removed.length > 0 ? undefined : accuracy); // none is measured with ablations
  // An earlier point of a training.
  const point = epoch === null ? undefined : bench.model.checkpoints.find((checkpoint) => checkpoint.epoch === epoch);
  const name = modelIndex === 0 || trained !== null ? [] : [bench.model.name];
  if (point !== undefined) {
    const { split } = bench.images;
    const accuracy = point.accuracy ?? history?.val_accuracy[point.epoch - 1];
    const isEpoch = Number.isInteger(point.epoch);
    let measured = measuredOn(history?.val_split ?? split);
    if (trained !== null) measured = measuredOnFirst(split, point.num_images);
    else if (!isEpoch || point.epoch === 0) measured = say('state.accuracyOnSome', { n: point.num_images });
    return stateOfChanged([...name, momentText(point), ...removed], ifWhole(accuracy ?? undefined), measured);
  }
  // A network that trains or was trained in this page.
  if (trained !== null) {
    const { isTraining, epoch, accuracy, numSample } = trained;
    // Within an epoch 0.97 is written as 0.9, since 1 is its end.
    const written = Number.isInteger(epoch) ? epoch : number(Math.floor(10 * epoch) / 10, 1);
    const text = say(isTraining ? 'state.trainingHere' : 'state.trainedHere', { epoch: written });
    const measured = measuredOnFirst(bench.images.split, numSample);
    return stateOfChanged([text, ...removed], ifWhole(accuracy ?? undefined), measured);
  }
  // The network of a page that was saved, or of the reader's own classes.
  if (payload.made !== undefined) {
    const { from, epoch: n } = payload.made;
    const text = from === 'classes' ? say('symbols.chip') : say('symbols.chipTrained', { n });
    if (removed.length > 0) return stateOfChanged([text, ...removed]);
    const measured = measuredOnFirst(evaluation.split, evaluation.num_images);
    return { text, isOwn: bench.isOnPage, accuracy: evaluation.accuracy ?? null, measured };
  }
  const measured = measuredOn(evaluation.split);
  // Another trained model, then the page's own.
  if (modelIndex !== 0) {
    const accuracy = (payload.comparison?.b as { accuracy?: number } | undefined)?.accuracy;
    return stateOfChanged([...name, ...removed], ifWhole(accuracy), measured);
  }
  if (removed.length > 0) return stateOfChanged(removed);
  const epochs = history?.best_epoch ?? history?.loss.length ?? 0;
  if (payload.untrained) return { text: say('state.untrained'), isOwn: true, accuracy: null, measured };
  const text = epochs > 0 ? say('state.trainedAt', { epoch: epochs }) : say('state.trained');
  return { text, isOwn: true, accuracy: evaluation.accuracy ?? null, measured };
}

// Names a point of a training: "Untrained", "Step 30" or "Epoch 3".
export function momentText({ epoch, step }: { epoch: number; step: number | null }): string {
  if (epoch === 0) return say('state.untrained');
  return Number.isInteger(epoch) || step === null ? say('state.epoch', { epoch }) : say('state.step', { step });
}

function stateOfChanged(texts: string[], accuracy?: number, measured = ''): NetworkState {
  return { text: texts.join(' · '), isOwn: false, accuracy: accuracy ?? null, measured };
}

const measuredOn = (split: string): string => say(`state.accuracyOn.${split as keyof typeof en.state.accuracyOn}`);
const measuredOnFirst = (split: string, n: number): string =>
  say(`state.accuracyOnFirst.${split as keyof typeof en.state.accuracyOnFirst}`, { n });

function removedText({ replacements, ablations, isChanged }: Bench): string {
  const parts = ablations.filter(({ part }) => part !== 'filter').length;
  const texts = [];
  if (replacements.length > 0) texts.push(say('state.filtersRemoved', { n: replacements.length }));
  if (parts > 0) texts.push(say('state.partsRemoved', { n: parts }));
  if (isChanged) texts.push(say('state.kernelChanged'));
  return listed(texts);
}
