// Learning-rate schedules: the Python package's formulas for the factor of the learning rate at each step.

export interface Schedule {
  kind: 'constant' | 'linear' | 'cosine' | 'one_cycle';
  warmup: number; // share of the steps in which the rate rises
}

const ONE_CYCLE_START = 1 / 25; // factor of the first step, as in the Python package

// Rounds half to even, like Python: both must warm up for the same number of steps.
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}

// Computes the factor of each step. A decay reaches zero one step after the last, so that no step has a rate of zero.
export function scheduleFactors({ kind, warmup }: Schedule, steps: number): Float64Array {
  const warm = roundHalfEven(warmup * steps);
  const rest = Math.max(steps - warm, 1);
  return Float64Array.from({ length: steps }, (_, step) => {
    if (step < warm) {
      if (kind !== 'one_cycle') return (step + 1) / warm;
      return ONE_CYCLE_START + ((1 - ONE_CYCLE_START) * (1 - Math.cos((Math.PI * step) / warm))) / 2;
    }
    const done = (step - warm) / rest;
    switch (kind) {
      case 'constant':
        return 1;
      case 'linear':
        return 1 - done;
      case 'cosine':
      case 'one_cycle':
        return (1 + Math.cos(Math.PI * done)) / 2;
    }
  });
}
