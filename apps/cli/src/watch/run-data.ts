// What the view reads of a run: the part of docs/http-api.md that it draws, with what may be missing (an older
// coordinator, a run that is not live) made explicit in one place.

export interface RunData {
  readonly id: string;
  readonly run: string;
  readonly phase: string;
  readonly reason: string;
  readonly step: number;
  /** null: nobody said how many there will be. */
  readonly steps: number | null;
  readonly term: number;
  readonly leader: string;
  readonly tokens: number;
  readonly remainingMs: number | null;
  readonly valLoss: number | null;
  readonly latest: StepData | null;
  readonly members: readonly MemberData[];
  readonly seats: { readonly target: number; readonly waiting: number };
  readonly coordinators: ReadonlyArray<{ readonly address: string; readonly leader: boolean }>;
  readonly mathHash: string;
}

export interface StepData {
  readonly step: number;
  readonly segment: number;
  readonly wallMs: number;
  readonly verdict?: string;
  readonly [metric: string]: number | null | undefined | string;
}

export interface MemberData {
  readonly id: string;
  readonly role: string;
  readonly host: string;
  readonly device: string;
  readonly pid: number;
  readonly slots: readonly number[];
  readonly tokensPerSecond: number;
  /** To the median of the members; null when not known. */
  readonly speedRatio: number | null;
  readonly lagSteps: number;
  readonly waitMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly memoryBytes: number;
  /** null: it computes on none. `use`: share of the time, 0 to 1; null where nobody can say. */
  readonly gpu: { readonly use: number | null; readonly memoryBytes: number | null } | null;
  /** Of Cria; empty where an older coordinator does not say. */
  readonly version: string;
  readonly lastContactMs: number;
}

export interface EventData {
  readonly seq: number;
  readonly wallMs: number;
  readonly kind: string;
  readonly step: number;
  readonly text: string;
}

export interface AlertData {
  readonly id: string;
  readonly rule: string;
  readonly severity: string;
  readonly state: string;
  readonly step: number;
  readonly text: string;
  readonly startedWallMs: number;
  readonly acknowledgedWallMs: number | null;
}

export interface BucketData {
  readonly step: number;
  readonly x: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly last: number | null;
  readonly notFinite: number;
  readonly smooth?: number | null;
}

export interface SeriesData {
  readonly buckets: readonly BucketData[];
  readonly abandoned: ReadonlyArray<{ readonly buckets: readonly BucketData[] }>;
  readonly endStep: number;
  /** Ends of the whole line on the axis; null where an older coordinator does not say. */
  readonly firstX: number | null;
  readonly lastX: number | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** A run from its summary (`GET /api/runs/{id}`), or from the status that the stream sends over one known before. */
export function readRun(value: unknown, before: RunData | null = null): RunData {
  const f = fieldsOf(value);
  const seats = fieldsOf(f['seats']);
  const members = list(f['members']).map(readMember);
  return {
    id: text(f['id'], text(f['runId'], before?.id ?? '')),
    run: text(f['run'], before?.run ?? ''),
    phase: text(f['phase'], 'unknown'),
    reason: text(f['reason'], ''),
    step: number(f['step'], 0),
    steps: numberOrNull(f['steps'] ?? before?.steps),
    term: number(f['term'], 0),
    leader: text(f['leader'], ''),
    tokens: number(f['tokens'], before?.tokens ?? 0),
    remainingMs: numberOrNull(f['remainingMs'] === undefined ? before?.remainingMs : f['remainingMs']),
    valLoss: numberOrNull(f['valLoss'] === undefined ? before?.valLoss : f['valLoss']),
    latest: f['latest'] === undefined ? (before?.latest ?? null) : readStep(f['latest']),
    members: withSpeedRatios(members),
    seats: { target: number(seats['target'], 0), waiting: number(seats['waiting'], 0) },
    coordinators: list(f['coordinators']).map((one) => {
      const { address, leader } = fieldsOf(one);
      return { address: text(address, ''), leader: leader === true };
    }),
    mathHash: text(f['mathHash'], ''),
  };
}

export function readStep(value: unknown): StepData | null {
  const f = fieldsOf(value);
  return typeof f['step'] === 'number' ? (f as unknown as StepData) : null;
}

export function readEvent(value: unknown): EventData {
  const f = fieldsOf(value);
  const [seq, wallMs, step] = [number(f['seq'], 0), number(f['wallMs'], 0), number(f['step'], 0)];
  return { seq, wallMs, step, kind: text(f['kind'], ''), text: text(f['text'], '') };
}

export function readAlert(value: unknown): AlertData {
  const f = fieldsOf(value);
  return {
    id: text(f['id'], ''),
    rule: text(f['rule'], ''),
    severity: text(f['severity'], 'warn'),
    state: text(f['state'], 'firing'),
    step: number(f['step'], 0),
    text: text(f['text'], ''),
    startedWallMs: number(f['startedWallMs'], 0),
    acknowledgedWallMs: numberOrNull(f['acknowledgedWallMs']),
  };
}

export function readSeries(value: unknown): SeriesData {
  const f = fieldsOf(value);
  return {
    buckets: list(f['buckets']) as BucketData[],
    abandoned: list(f['abandoned']).map((tail) => ({
      buckets: list(fieldsOf(tail)['buckets']) as BucketData[],
    })),
    endStep: number(f['endStep'], 0),
    firstX: numberOrNull(f['firstX']),
    lastX: numberOrNull(f['lastX']),
  };
}

function readMember(value: unknown): MemberData {
  const f = fieldsOf(value);
  return {
    id: text(f['id'], ''),
    role: text(f['role'], ''),
    host: text(f['host'], ''),
    device: text(f['device'], ''),
    pid: number(f['pid'], 0),
    slots: list(f['slots']) as number[],
    tokensPerSecond: number(f['tokensPerSecond'], 0),
    speedRatio: numberOrNull(f['speedRatio']),
    lagSteps: number(f['lagSteps'], 0),
    waitMs: number(f['waitMs'], 0),
    bytesReceived: number(f['bytesReceived'], 0),
    bytesSent: number(f['bytesSent'], 0),
    memoryBytes: number(f['memoryBytes'], 0),
    gpu: readGpu(f['gpu']),
    version: text(f['version'], ''),
    lastContactMs: number(f['lastContactMs'], 0),
  };
}

function readGpu(value: unknown): MemberData['gpu'] {
  if (typeof value !== 'object' || value === null) return null;
  const { use, memoryBytes } = fieldsOf(value);
  return { use: numberOrNull(use), memoryBytes: numberOrNull(memoryBytes) };
}

/** An older coordinator does not compare the members. */
function withSpeedRatios(members: readonly MemberData[]): MemberData[] {
  const speeds = members.map(({ tokensPerSecond }) => tokensPerSecond).filter((speed) => speed > 0);
  const median = speeds.sort((a, b) => a - b)[Math.floor(speeds.length / 2)] ?? 0;
  return members.map((member) => {
    const isKnown = member.speedRatio !== null || median === 0 || member.tokensPerSecond === 0;
    return isKnown ? member : { ...member, speedRatio: member.tokensPerSecond / median };
  });
}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function number(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
