// The factors of a learning-rate schedule, compared with those of Python.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { scheduleFactors, type Schedule } from '../src/training/schedule';
import { PYTHON } from './browser/reports';

type Drawn = [Schedule['kind'], number, number, number[]];

describe('the factors of a schedule', () => {
  test('rise in the warm-up, after which the first factor is 1', () => {
    const linear = scheduleFactors({ kind: 'linear', warmup: 0.25 }, 8);
    [0.5, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6].forEach((factor, i) => expect(linear[i]).toBeCloseTo(factor, 14));
  });

  test('equal those of the Python package on random schedules', () => {
    const script = `
import json, random
from convscope.recipes import Schedule
draw = random.Random(7)
kinds = ["constant", "linear", "cosine", "one_cycle"]
drawn = [(draw.choice(kinds), draw.randint(1, 99) / 100, draw.randint(1, 400)) for _ in range(200)]
drawn += [("linear", 0.5, 5), ("linear", 0.5, 7)]  # half a step of warm-up goes to the even neighbour
print(json.dumps([[*each, Schedule(*each[:2]).factors(each[2]).tolist()] for each in drawn]))`;
    const drawn = JSON.parse(execFileSync(PYTHON, ['-c', script], { encoding: 'utf8' })) as Drawn[];
    for (const [kind, warmup, steps, expected] of drawn) {
      const computed = scheduleFactors({ kind, warmup }, steps);
      expect(computed).toHaveLength(steps);
      expected.forEach((factor, i) => expect(computed[i], `${kind} ${warmup} ${steps}`).toBeCloseTo(factor, 12));
    }
  });

  test('stay at one without warm-up or decay, also for a single step', () => {
    expect([...scheduleFactors({ kind: 'constant', warmup: 0 }, 3)]).toEqual([1, 1, 1]);
    expect([...scheduleFactors({ kind: 'linear', warmup: 0 }, 1)]).toEqual([1]);
  });
});
