// The attributions on the input: what they are called, and what to look for in each.
import type { Method } from '../../analysis/explain';
import type { TermName } from '../../ui/terms';

export interface MethodWords {
  method: Method;
  title: string;
  term: TermName;
  look: string;
  palette: 'signed' | 'sequential';
}

export function methodWords(answer: string, rival: string, side: number | null): MethodWords[] {
  return [
    {
      method: 'gradient',
      title: 'Gradient × input',
      term: 'gradient × input',
      look: `For small changes, orange pixels favour ${answer} and blue pixels favour ${rival}. A gradient is local; it is not a cause.`,
      palette: 'signed',
    },
    {
      method: 'cam',
      title: 'Grad-CAM',
      term: 'Grad-CAM',
      look: `Yellow: maps that favour ${answer} are active here. Grad-CAM has the resolution of those maps and hides evidence against ${answer}.`,
      palette: 'sequential',
    },
    {
      method: 'occlusion',
      title: 'Occlusion',
      term: 'occlusion',
      look: `Orange is where covering a patch${side === null ? '' : ` of ${side} × ${side} pixels`} lowers the difference most. The network never saw covered images in training.`,
      palette: 'signed',
    },
  ];
}
