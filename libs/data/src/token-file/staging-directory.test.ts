import { spawnSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withDirectory } from '../testing/corpora.js';
import { StagingDirectory } from './staging-directory.js';

describe('a staging directory', () => {
  it('appears under its name only by commit', async () => {
    await withDirectory(async (directory) => {
      const staging = await StagingDirectory.create(join(directory, 'out'));
      await writeFile(join(staging.path, 'file'), 'x');
      expect(await readdir(directory)).not.toContain('out');
      await staging.commit();
      await staging.discard();
      expect(await readdir(directory)).toEqual(['out']);
      expect(await readdir(join(directory, 'out'))).toEqual(['file']);
    });
  });

  it('takes the place of an empty directory, never of a filled one', async () => {
    await withDirectory(async (directory) => {
      const target = join(directory, 'out');
      await mkdir(target);
      const first = await StagingDirectory.create(target);
      const second = await StagingDirectory.create(target);
      await writeFile(join(first.path, 'first'), 'x');
      await writeFile(join(second.path, 'second'), 'x');
      await first.commit();
      await expect(second.commit()).rejects.toMatchObject({ code: 'RUN_EXISTS' });
      await second.discard();
      expect(await readdir(target)).toEqual(['first']);
    });
  });

  it('removes what a process that died here left behind, and nobody else’s', async () => {
    await withDirectory(async (directory) => {
      const { pid: deadPid } = spawnSync(process.execPath, ['--version']);
      const names = {
        dead: `out.partial-${hostname()}-${deadPid}-0a0b0c0d`,
        alive: `out.partial-${hostname()}-${process.ppid}-0a0b0c0d`,
        elsewhere: `out.partial-${hostname()}x-${deadPid}-0a0b0c0d`,
      };
      for (const name of Object.values(names)) await mkdir(join(directory, name));
      const staging = await StagingDirectory.create(join(directory, 'out'));
      await staging.discard();
      expect((await readdir(directory)).sort()).toEqual([names.alive, names.elsewhere].sort());
    });
  });
});
