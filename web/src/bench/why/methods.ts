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
      look: `Orange pixels push towards ${answer}, blue ones towards ${rival}, if each changes a little. A gradient is local; it is not a cause.`,
      palette: 'signed',
    },
    {
      method: 'cam',
      title: 'Grad-CAM',
      term: 'Grad-CAM',
      look: `Yellow is where maps that favour ${answer} are active. It is as coarse as those maps and leaves out what speaks against.`,
      palette: 'sequential',
    },
    {
      method: 'occlusion',
      title: 'Occlusion',
      term: 'occlusion',
      look: `Orange is where covering a patch${side === null ? '' : ` of ${side} × ${side} pixels`} takes most from the difference. A covered image is one that the network never saw.`,
      palette: 'signed',
    },
  ];
}
