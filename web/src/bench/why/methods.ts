// The attributions on the input: their names, and what to look for in each.
import type { Method } from '../../analysis/explain';
import { say } from '../../text/say.svelte';
import type { TermName } from '../../ui/terms';

export interface MethodWords {
  method: Method;
  title: string;
  term: TermName;
  look: string; // what to look for
  palette: 'signed' | 'sequential';
}

// `prediction` and `rival` are names of classes; `side` is that of the occluded patches, null before they are known.
export function methodWords(prediction: string, rival: string, side: number | null): MethodWords[] {
  return [
    {
      method: 'gradient',
      title: say('why.methods.gradient'),
      term: 'gradient × input',
      look: say('why.methods.gradientLook', { answer: prediction, rival }),
      palette: 'signed',
    },
    {
      method: 'cam',
      title: say('why.methods.cam'),
      term: 'Grad-CAM',
      look: say('why.methods.camLook', { answer: prediction }),
      palette: 'sequential',
    },
    {
      method: 'occlusion',
      title: say('why.methods.occlusion'),
      term: 'occlusion',
      look: side === null ? say('why.methods.occlusionLook') : say('why.methods.patchLook', { side }),
      palette: 'signed',
    },
  ];
}
