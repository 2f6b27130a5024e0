import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { DiskWatch } from './disk-watch.js';

describe('the disk of a run', () => {
  it('is told of once when it is full, and once when it takes data again', () => {
    let refusal: string | null = null;
    const watch = new DiskWatch('/runs/first', () => refusal);
    expect(watch.look()).toBeNull();
    refusal = 'ENOSPC';
    expect([watch.look(), watch.look()]).toEqual([
      'the disk of /runs/first is full (ENOSPC): free space, or the run ends',
      null,
    ]);
    refusal = null;
    expect([watch.look(), watch.look()]).toEqual(['the disk of /runs/first takes data again', null]);
  });

  it('is not worth a word while there is room, or where nobody can say', () => {
    expect(new DiskWatch(tmpdir()).look()).toBeNull();
    expect(new DiskWatch('/nowhere/at/all').look()).toBeNull();
  });
});
