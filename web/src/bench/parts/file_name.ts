// Names a saved file after data, model, epoch and content: "mnist-lenet-epoch-3-kernels".
import type { Bench } from '../../state/bench.svelte';
import { fileName } from '../../ui/download';

export function benchFile(bench: Bench, ...what: string[]): string {
  return fileName(bench.payload.data.name, bench.model.name, momentText(bench), ...what);
}

// Names the moment of training. The name of a network that trains in the page already says so.
function momentText({ epoch, ablations, trained }: Bench): string {
  const when = epoch !== null ? `epoch ${epoch}` : trained === null ? 'trained' : '';
  return `${when}${ablations.length > 0 ? ' with ablation' : ''}`;
}
