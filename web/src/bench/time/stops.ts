// The stops of the slider: the snapshots of a training, and the trained model.
import type { Weights } from '../../engine/types';
import type { History } from '../../payload/types';
import type { LoadedModel } from '../../state/models';
import { say } from '../../text/say.svelte';

export interface Stop {
  epoch: number | null; // as the bench has it: null is the trained model
  at: number; // how many epochs had been trained
  exact: boolean; // exact, not rounded
  text: string;
}

export function stopsOf(model: LoadedModel, history: History | null): Stop[] {
  const trained = history?.best_epoch ?? history?.loss.length ?? model.epochs.at(-1) ?? 0;
  // The snapshot of the last epoch shows the trained model, which is there exactly.
  const earlier = model.epochs.filter((epoch, i) => i < model.epochs.length - 1 || epoch !== trained);
  const stops = earlier.map((epoch) => ({
    epoch,
    at: epoch,
    exact: false,
    text: epoch === 0 ? say('time.stops.untrained') : say('time.stops.epoch', { epoch }),
  }));
  const isBest = history !== null && trained < history.loss.length;
  const text = isBest ? say('time.stops.best', { epoch: trained }) : say('time.stops.trained', { n: trained });
  return [...stops, { epoch: null, at: trained, exact: true, text }];
}

export function weightsAt(model: LoadedModel, stop: Stop): Weights | undefined {
  return stop.epoch === null ? model.weights : model.snapshots.get(stop.epoch);
}
