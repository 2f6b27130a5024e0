import { appendFile, mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rowAt } from '../row-fixture.js';
import { record, scalarsEvent, sessionStartEvent, versionEvent } from './event-bytes.js';
import { crc32c, maskedCrc32c } from './masked-crc.js';
import { TensorBoardFile } from './tensorboard-file.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cria-tensorboard-'));
});
afterEach(() => rm(directory, { recursive: true }));

const open = (fromStep: number): Promise<TensorBoardFile> =>
  TensorBoardFile.open({ directory, startedWallMs: 1_700_000_000_000, host: 'node-1', pid: 7, fromStep });

/** Payloads of all records, after checking both checksums of each. */
function recordsOf(bytes: Buffer): Buffer[] {
  const payloads: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = Number(bytes.readBigUInt64LE(at));
    const payload = bytes.subarray(at + 12, at + 12 + size);
    expect(bytes.readUInt32LE(at + 8)).toBe(maskedCrc32c(bytes.subarray(at, at + 8)));
    expect(bytes.readUInt32LE(at + 12 + size)).toBe(maskedCrc32c(payload));
    payloads.push(payload);
    at += size + 16;
  }
  return payloads;
}

describe('TensorBoard event files', () => {
  it('have the checksum that the standard gives', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(maskedCrc32c(Buffer.from('123456789'))).toBe(0xc78ab0e5);
  });

  it('hold the bytes that TensorFlow writes', () => {
    expect(record(versionEvent(1_700_000_000_000)).toString('hex')).toBe(
      '1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d',
    );
    const scalars = [{ tag: 'train/loss', value: 2.5 }];
    expect(record(scalarsEvent(1_700_000_001_000, 100, scalars)).toString('hex')).toBe(
      '200000000000000029eda9500900004040fc54d94110642a130a110a0a747261696e2f6c6f737315000020407fc0c6fd',
    );
  });

  it('begin with their version and hold one event a step', async () => {
    const file = await open(0);
    file.append(rowAt(0));
    file.append(rowAt(1, { loss: null, valLoss: 5 }));
    await file.close();
    expect(basename(file.path)).toBe('events.out.tfevents.1700000000.node-1.7.0');
    const [version, first, second] = recordsOf(await readFile(file.path)).map((payload) =>
      payload.toString('latin1'),
    );
    expect(version).toContain('brain.Event:2');
    expect(first).toContain('train/loss');
    expect(first).not.toContain('validation/loss');
    expect(second).not.toContain('train/loss');
    expect(second).toContain('validation/loss');
  });

  it('tell readers to forget the tail that a resume has left behind', async () => {
    const file = await open(300);
    await file.close();
    const [, session] = recordsOf(await readFile(file.path));
    expect(session).toEqual(sessionStartEvent(1_700_000_000_000, 300));
    // step 300 (varint ac 02), then session_log { status: START }
    expect(session?.subarray(9).toString('hex')).toBe('10ac023a020801');
  });

  it('write behind the last whole record', async () => {
    const file = await open(0);
    await file.close();
    const whole = await readFile(file.path);
    await appendFile(file.path, record(scalarsEvent(0, 1, [])).subarray(0, 20));
    const again = await open(0);
    await again.close();
    expect(recordsOf(await readFile(file.path))).toHaveLength(2);
    await truncate(file.path, whole.length - 3);
    const third = await open(0);
    await third.close();
    expect(recordsOf(await readFile(file.path))).toHaveLength(1);
  });
});
