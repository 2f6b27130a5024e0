import { Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { chooseVictim, pauseBefore, type ChaosProcess } from './chaos.js';

const PROCESSES: readonly ChaosProcess[] = [
  { target: 'workers', name: 'worker-a', pid: 1 },
  { target: 'workers', name: 'worker-b', pid: 2 },
  { target: 'workers', name: 'worker-c', pid: 3 },
  { target: 'leader', name: 'coordinator-a', pid: 4 },
];

describe('chooseVictim', () => {
  it('gives the same victims for the same seed', () => {
    const victims = (seed: number): Array<number | undefined> => {
      const rng = new Rng(seed);
      return Array.from({ length: 20 }, () => chooseVictim(rng, ['workers', 'leader'], PROCESSES)?.pid);
    };
    expect(victims(1)).toEqual(victims(1));
    expect(victims(1)).not.toEqual(victims(2));
  });

  it('hits every kind alike, however many processes it has', () => {
    const rng = new Rng(5);
    const kinds = Array.from({ length: 400 }, () => chooseVictim(rng, ['workers', 'leader'], PROCESSES));
    const leaders = kinds.filter((victim) => victim?.target === 'leader').length;
    expect(leaders).toBeGreaterThan(150);
    expect(leaders).toBeLessThan(250);
  });

  it('passes over kinds that are not there, and says null when none is', () => {
    expect(chooseVictim(new Rng(1), ['redis', 'leader'], PROCESSES)?.name).toBe('coordinator-a');
    expect(chooseVictim(new Rng(1), ['redis'], PROCESSES)).toBeNull();
  });
});

describe('pauseBefore', () => {
  it('has the given mean', () => {
    const rng = new Rng(9);
    const total = Array.from({ length: 2000 }, () => pauseBefore(rng, 5000)).reduce((a, b) => a + b);
    expect(total / 2000).toBeGreaterThan(4600);
    expect(total / 2000).toBeLessThan(5400);
  });
});
