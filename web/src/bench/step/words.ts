// What a phase of a step is called, and what happens in it.
import type { LayerRow } from '../../engine/types';
import { confidence, plainText } from '../parts/figures';
import type { OneStep } from './one_step';
import type { Phase, StepLab } from './step_lab.svelte';

export function nameOfPhase(phase: Phase, titleOf: (layer: string) => string): string {
  switch (phase.kind) {
    case 'forward':
      return 'Forward';
    case 'loss':
      return 'Loss';
    case 'back':
      return `Back to ${titleOf(phase.layer)}`;
    case 'update':
      return 'Update';
    case 'answer':
      return 'New answer';
  }
}

interface About {
  lab: StepLab;
  step: OneStep;
  table: LayerRow[];
  name: string; // of the label's class
}

export function explanationOf(phase: Phase, { lab, step, table, name }: About): string {
  const { back, update, after } = step;
  switch (phase.kind) {
    case 'forward':
      return 'The image goes through every layer to the logits, and softmax turns them into probabilities.';
    case 'loss': {
      const share = confidence(back.probabilities[lab.label]);
      return `The label says ${name}, and the network gives that ${share}. Target less answer is the push on each logit: orange up, blue down.`;
    }
    case 'back': {
      if (phase.layer === 'input')
        return 'Brighter pixels where it is orange, and darker ones where it is blue, would lower the loss.';
      const row = table.find(({ layer }) => layer.name === phase.layer);
      const own = row !== undefined && row.parameters > 0;
      const weights = own ? ` Its ${row.parameters.toLocaleString('en')} weights get their gradient here, too.` : '';
      return `The chain rule takes the push one layer back. More output where it is orange, and less where it is blue, would lower the loss.${weights}`;
    }
    case 'update': {
      const clipped =
        update.clipFactor < 1
          ? ` The gradient is first shortened to ${plainText(update.clipFactor, 2)} of its length.`
          : '';
      const fresh =
        lab.recipe.optimizer.kind === 'Adam' && lab.taken === 0
          ? ' Adam has no memory yet, so its first step changes almost every weight by the learning rate, up or down.'
          : '';
      return `Every weight moves a little along its push, as the optimizer says.${clipped}${fresh}`;
    }
    case 'answer':
      return `The same image in the changed network: the probability of ${name} goes from ${confidence(back.probabilities[lab.label])} to ${confidence(after.probabilities[lab.label])}, the loss from ${plainText(back.loss)} to ${plainText(after.loss)}.`;
  }
}
