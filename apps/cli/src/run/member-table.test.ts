import { describe, expect, it } from 'vitest';
import { readRun, type MemberData } from '../watch/run-data.js';
import { memberColumns } from './member-table.js';
import { formatTable } from './table.js';

const CPU = {
  ...{ id: 'worker-3db8835c', role: 'member', host: 'node-1', device: 'cpu, 16 threads', pid: 4711 },
  ...{ slots: [0, 2, 4], tokensPerSecond: 812, waitMs: 12, bytesReceived: 2e7, bytesSent: 1.9e7 },
  ...{ memoryBytes: 400 * 2 ** 20, version: '0.1.0', gpu: null, lastContactMs: 120 },
};
const GPU = {
  ...CPU,
  ...{ id: 'worker-19a532fb', device: 'cuda:0 NVIDIA H100 80GB HBM3', slots: [1, 3, 5] },
  gpu: { use: 0.974, memoryBytes: 56.8 * 2 ** 30 },
};
const SHADOW = { ...GPU, id: 'worker-e27419a1', role: 'shadow', slots: [] };

/** As the API tells of them. */
function table(width: number, ...members: readonly object[]): string[] {
  const read: readonly MemberData[] = readRun({ members }).members;
  return formatTable(
    memberColumns((text) => text, read),
    read,
    { width, ellipsis: '…' },
  );
}

describe('the table of workers', () => {
  it('has memory, GPU and contact at 80 columns, and says who catches up', () => {
    expect(table(80, CPU, GPU, SHADOW)).toEqual([
      'worker            slots  tok/s  speed   wait  memory          gpu  contact',
      'worker-3db8835c   0,2,4    812  1.00x  12 ms  400MiB            -  ok',
      'worker-19a532fb   1,3,5    812  1.00x  12 ms  400MiB  97% 56.8GiB  ok',
      'worker-e27419a1  shadow    812  1.00x  12 ms  400MiB  97% 56.8GiB  ok',
    ]);
  });

  it('has device, version and host besides at 120', () => {
    expect(table(120, GPU)).toEqual([
      'worker           slots  tok/s  speed   wait  memory          gpu  device                 version  host    contact',
      'worker-19a532fb  1,3,5    812  1.00x  12 ms  400MiB  97% 56.8GiB  cuda:0 H100 80GB HBM3  0.1.0    node-1  ok',
    ]);
  });

  it('spends no column on GPUs where there is none', () => {
    expect(table(120, CPU)[0]).not.toContain('gpu');
    expect(table(120, CPU)[1]).toContain('cpu, 16 threads');
  });

  it('has all there is where lines have no end, and dashes for what an older coordinator does not say', () => {
    const [titles, line] = table(Infinity, { ...CPU, gpu: undefined, version: undefined });
    expect(titles?.split(/ {2,}/)).toEqual([
      ...['worker', 'role', 'slots', 'tok/s', 'speed', 'wait', 'received', 'sent', 'memory'],
      ...['device', 'version', 'host', 'pid', 'contact'],
    ]);
    expect(line).toMatch(/cpu, 16 threads {2}- +node-1 +4711 {2}ok$/);
  });
});
