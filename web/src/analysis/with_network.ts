// Runs work with a network that is freed afterwards, even if the work is stopped.
import type { Network } from '../engine/network';
import type { Work } from './slices';

export function* withNetwork<T>(make: () => Network, work: (network: Network) => Work<T>): Work<T> {
  const network = make();
  try {
    return yield* work(network);
  } finally {
    network.free();
  }
}
