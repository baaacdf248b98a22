// The names and descriptions of the phases of a step.
import type { LayerRow } from '../../engine/types';
import { say, sentences } from '../../text/say.svelte';
import { confidence, plainText } from '../parts/figures';
import type { OneStep } from './one_step';
import type { Phase, StepLab } from './step_lab.svelte';

export function nameOfPhase(phase: Phase, titleOf: (layer: string) => string): string {
  switch (phase.kind) {
    case 'back':
      return say('step.phases.back', { layer: titleOf(phase.layer) });
    default:
      return say(`step.phases.${phase.kind}`);
  }
}

interface Explained {
  lab: StepLab;
  step: OneStep;
  table: LayerRow[];
  name: string; // of the label's class
}

export function explanationOf(phase: Phase, { lab, step, table, name }: Explained): string {
  const { back, update, after } = step;
  switch (phase.kind) {
    case 'forward':
      return say('step.forward');
    case 'loss': {
      const share = confidence(back.probabilities[lab.label]);
      return say('step.lossIs', { name, share });
    }
    case 'back': {
      if (phase.layer === 'input') return say('step.backToInput');
      const row = table.find(({ layer }) => layer.name === phase.layer);
      const hasWeights = row !== undefined && row.parameters > 0;
      return hasWeights ? say('step.backWithWeights', { n: row.parameters }) : say('step.backToLayer');
    }
    case 'update': {
      const parts = [say(lab.optimizer.kind === 'SGD' && !lab.optimizer.momentum ? 'step.updateSgd' : 'step.update')];
      if (update.clipFactor < 1) parts.push(say('step.clipped', { share: plainText(update.clipFactor, 2) }));
      if (lab.optimizer.kind === 'Adam' && lab.taken === 0) parts.push(say('step.fresh'));
      return sentences(parts);
    }
    case 'answer':
      return say('step.answer', {
        name,
        before: confidence(back.probabilities[lab.label]),
        after: confidence(after.probabilities[lab.label]),
        loss: plainText(back.loss),
        newLoss: plainText(after.loss),
      });
  }
}
