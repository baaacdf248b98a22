// The bench for every component below App.
import { getContext, setContext } from 'svelte';
import type { Bench } from './bench.svelte';

const KEY = Symbol('bench');

export function provideBench(bench: Bench): Bench {
  return setContext(KEY, bench);
}

export function useBench(): Bench {
  return getContext<Bench>(KEY);
}
