// Work on a network of its own, which is freed behind it whether the work came to its end or was stopped.
import type { Network } from '../engine/network';
import type { Work } from './schedule';

export function* withNetwork<T>(make: () => Network, work: (network: Network) => Work<T>): Work<T> {
  const network = make();
  try {
    return yield* work(network);
  } finally {
    network.free();
  }
}
