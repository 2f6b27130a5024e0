// Operating errors. Broken assumptions are `assert` (assert.ts), expected outcomes are values of unions.

/** What the caller should do about an error; fixed per code. */
export type ErrorAction = 'retry' | 'resync' | 'evict-peer' | 'fix-config' | 'give-up';

/** Every code with its fixed action. A new code needs a row in docs/operating.md. */
export const ERROR_ACTIONS = {
  CONFIG_INVALID: 'fix-config',
  USAGE: 'fix-config',
  ENVIRONMENT_MISSING: 'fix-config',
  PORT_IN_USE: 'fix-config',
  RUN_EXISTS: 'fix-config',
  RUN_MISMATCH: 'fix-config',
  RUN_NOT_FOUND: 'fix-config',
  VERSION_MISMATCH: 'fix-config',
  DATA_EMPTY: 'fix-config',
  DATA_CORRUPT: 'give-up',
  ENGINE_UNAVAILABLE: 'fix-config',
  ENGINE_MISMATCH: 'fix-config',
  OUT_OF_MEMORY: 'fix-config',
  DEADLINE_EXCEEDED: 'retry',
  PEER_UNREACHABLE: 'evict-peer',
  PEER_DAMAGED: 'evict-peer',
  TERM_STALE: 'resync',
  LEASE_LOST: 'resync',
  EXCHANGE_ABORTED: 'resync',
  STATE_DAMAGED: 'resync',
  REDIS_UNAVAILABLE: 'retry',
  LEDGER_CORRUPT: 'give-up',
  LEDGER_DIVERGED: 'give-up',
  CHECKPOINT_CORRUPT: 'give-up',
  CHECKPOINT_MISSING: 'give-up',
  CHECKPOINT_INCOMPATIBLE: 'fix-config',
  STORAGE_FAILED: 'give-up',
  CHILD_FAILED: 'give-up',
  PROTOCOL_VIOLATION: 'evict-peer',
  RUN_FAILED: 'give-up',
  INTERNAL: 'give-up',
} as const satisfies Record<string, ErrorAction>;

export type ErrorCode = keyof typeof ERROR_ACTIONS;
export type ErrorContext = Readonly<Record<string, string | number | boolean | null>>;

/** An error as it crosses threads and RPC: plain data, rebuilt by {@link CriaError.fromRecord}. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly message: string;
  readonly context: ErrorContext;
  readonly causes: readonly string[];
}

const BRAND = Symbol.for('cria.error');

/**
 * An operating error: something outside the program is not as it has to be.
 *
 * The message is a sentence that names the place and, where there is one, the remedy.
 * Context holds plain scalars whose keys carry units (`waitedMs`, `expectedBytes`).
 */
export class CriaError extends Error {
  readonly code: ErrorCode;
  readonly action: ErrorAction;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, message: string, options: { context?: ErrorContext; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CriaError';
    this.code = code;
    this.action = ERROR_ACTIONS[code];
    this.context = options.context ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** By brand, not by prototype: errors cross package copies and vm contexts. */
  static is(value: unknown): value is CriaError {
    return typeof value === 'object' && value !== null && BRAND in value;
  }

  /** Normalises anything thrown; used at every boundary (RPC, thread, process). */
  static from(value: unknown, code: ErrorCode = 'INTERNAL'): CriaError {
    if (CriaError.is(value)) return value;
    const message = value instanceof Error ? value.message : String(value);
    return new CriaError(code, message, { cause: value });
  }

  static fromRecord(record: ErrorRecord): CriaError {
    const cause = record.causes.length > 0 ? { cause: new Error(record.causes.join(': ')) } : {};
    return new CriaError(record.code, record.message, { context: record.context, ...cause });
  }

  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, context: this.context, causes: causeChain(this) };
  }
}

/** Node's system error code (`ENOENT`, `EADDRINUSE`, ...) of a caught value, or null. */
export function systemCode(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('code' in value)) return null;
  return typeof value.code === 'string' ? value.code : null;
}

function causeChain(error: Error): string[] {
  const causes: string[] = [];
  let cause = error.cause;
  while (cause instanceof Error && causes.length < 8) {
    causes.push(cause.message);
    cause = cause.cause;
  }
  return causes;
}
