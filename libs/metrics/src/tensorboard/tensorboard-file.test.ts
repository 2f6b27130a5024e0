import { appendFile, mkdtemp, readFile, readdir, rm, truncate } from 'node:fs/promises';
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

interface ReadEvent {
  readonly wallSeconds: number;
  readonly step: number;
  readonly version: string | null;
  readonly sessionStart: boolean;
  readonly scalars: ReadonlyMap<string, number>;
}

/** Fields of a protocol buffer: number, wire type 0 as a number, the others as bytes. */
function* fieldsOf(bytes: Buffer): Generator<{ field: number; value: number; bytes: Buffer }> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const wireType = key & 7;
    const size = wireType === 0 ? 0 : wireType === 1 ? 8 : wireType === 5 ? 4 : -1;
    const value = size <= 0 ? varint() : 0;
    const end = at + (size < 0 ? value : size);
    yield { field: key >> 3, value, bytes: bytes.subarray(at, end) };
    at = end;
  }
}

/** event.proto and summary.proto, as TensorBoard reads them. */
function readEvent(payload: Buffer): ReadEvent {
  let [wallSeconds, step, sessionStart, version] = [0, 0, false, null as string | null];
  const scalars = new Map<string, number>();
  for (const { field, value, bytes } of fieldsOf(payload)) {
    if (field === 1) wallSeconds = bytes.readDoubleLE();
    if (field === 2) step = value;
    if (field === 3) version = bytes.toString();
    if (field === 7) sessionStart = [...fieldsOf(bytes)].some((one) => one.field === 1 && one.value === 1);
    if (field !== 5) continue;
    for (const one of fieldsOf(bytes)) {
      const parts = [...fieldsOf(one.bytes)];
      const tag = parts.find((part) => part.field === 1)?.bytes.toString() ?? '';
      scalars.set(tag, parts.find((part) => part.field === 2)?.bytes.readFloatLE() ?? NaN);
    }
  }
  return { wallSeconds, step, version, sessionStart, scalars };
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

  it('begin with their version and hold one event a step, as a reader of the format finds it', async () => {
    const file = await open(0);
    const rows = [
      rowAt(0, { loss: 10.123456, mfu: 0.314, tokens: 98_240_888_832 }),
      rowAt(1, { loss: null, gradNorm: null, valLoss: 5.25 }),
      rowAt(499_678, { lr: 1e-3, valLoss: null, lostMs: 12_345.5 }),
    ];
    for (const row of rows) file.append(row);
    await file.close();
    expect(basename(file.path)).toBe('events.out.tfevents.1700000000.node-1.7.0');
    const [version, ...events] = recordsOf(await readFile(file.path)).map(readEvent);
    expect(version?.version).toBe('brain.Event:2');
    expect(events.map(({ step }) => step)).toEqual([0, 1, 499_678]);
    expect(events.map(({ wallSeconds }) => wallSeconds)).toEqual(rows.map(({ wallMs }) => wallMs / 1000));
    const [first, second, third] = events.map(({ scalars }) => scalars);
    expect(first?.get('train/loss')).toBe(Math.fround(10.123456));
    expect(first?.get('speed/mfu')).toBe(Math.fround(0.314));
    expect(first?.get('train/million_tokens')).toBe(Math.fround(98_240.888832));
    expect(first?.has('validation/loss')).toBe(false);
    // What was not finite is NaN; what nobody knows is not there.
    expect([second?.get('train/loss'), second?.get('train/gradient_norm')]).toEqual([NaN, NaN]);
    expect(second?.get('validation/loss')).toBe(5.25);
    expect(second?.has('speed/mfu')).toBe(false);
    expect(third?.get('validation/loss')).toBe(NaN);
    expect(third?.get('train/learning_rate')).toBe(Math.fround(1e-3));
    expect(third?.get('cluster/lost_ms')).toBe(12_345.5);
  });

  it('of all lives of a run give the line that counts to a reader that follows them in order', async () => {
    for (const [index, [from, end]] of [
      [0, 40],
      [25, 60],
      [60, 62],
    ].entries()) {
      const started = 1_700_000_000_000 + index * 1000;
      const options = { directory, startedWallMs: started, host: 'node-1', pid: 7 + index };
      const file = await TensorBoardFile.open({ ...options, fromStep: from ?? 0 });
      for (let step = from ?? 0; step < (end ?? 0); step++) file.append(rowAt(step, { loss: index }));
      await file.close();
    }
    const losses = new Map<number, number>();
    for (const name of (await readdir(directory)).sort()) {
      for (const event of recordsOf(await readFile(join(directory, name))).map(readEvent)) {
        if (event.sessionStart) for (const step of losses.keys()) if (step >= event.step) losses.delete(step);
        const loss = event.scalars.get('train/loss');
        if (loss !== undefined) losses.set(event.step, loss);
      }
    }
    const expected = Array.from({ length: 62 }, (_, step) => [step, step < 25 ? 0 : step < 60 ? 1 : 2]);
    expect([...losses].sort(([a], [b]) => a - b)).toEqual(expected);
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
