import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CriaError, ERROR_ACTIONS } from './errors.js';
import { AssertionError } from './assert.js';
import { EXIT, exitCodeOf } from './node/main.js';

describe('CriaError', () => {
  it('crosses a thread as a record and comes back with code, action, context and causes', () => {
    const cause = new Error('outer', { cause: new Error('inner') });
    const error = new CriaError('DATA_CORRUPT', 'tokens.bin is cut short', {
      context: { expectedBytes: 8 },
      cause,
    });
    const record: unknown = structuredClone(error.toRecord());
    const back = CriaError.fromRecord(record as ReturnType<CriaError['toRecord']>);
    expect(back).toMatchObject({ code: 'DATA_CORRUPT', action: 'give-up', context: { expectedBytes: 8 } });
    expect((back.cause as Error).message).toBe('outer: inner');
  });

  it('is recognised by its brand, not by its class', () => {
    const error = new CriaError('USAGE', 'x');
    expect(CriaError.is(error)).toBe(true);
    expect(CriaError.is(new Error('x'))).toBe(false);
    expect(CriaError.from(error)).toBe(error);
  });

  it('maps to the exit codes that users rely on', () => {
    expect(exitCodeOf(new CriaError('CONFIG_INVALID', 'x'))).toBe(EXIT.usage);
    expect(exitCodeOf(new CriaError('CHECKPOINT_CORRUPT', 'x'))).toBe(EXIT.failed);
    expect(exitCodeOf(new AssertionError('x'))).toBe(EXIT.assertion);
  });

  it('has a row in docs/operating.md for every code', () => {
    const page = readFileSync(new URL('../../../docs/operating.md', import.meta.url), 'utf8');
    const missing = Object.keys(ERROR_ACTIONS).filter((code) => !page.includes(`\`${code}\``));
    expect(missing).toEqual([]);
  });
});
