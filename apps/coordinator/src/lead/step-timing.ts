/** When the things of a step happened, on the leader's clock; for metrics only. */
export class StepTiming {
  #firstGrantMs: number | null = null;
  #lastSlotMs: number | null = null;
  #lastPrepareMs: number | null = null;
  #appendMs: number | null = null;
  #reads = 0;
  #readSinceMs = 0;
  #dataMs = 0;

  granted(nowMs: number): void {
    this.#firstGrantMs ??= nowMs;
  }

  /** A grant waits for the disk; grants that wait together count once. */
  readBegins(nowMs: number): void {
    if (this.#reads++ === 0) this.#readSinceMs = nowMs;
  }

  readEnds(nowMs: number): void {
    if (--this.#reads === 0) this.#dataMs += nowMs - this.#readSinceMs;
  }

  slotDone(nowMs: number): void {
    this.#lastSlotMs = nowMs;
  }

  prepared(nowMs: number): void {
    this.#lastPrepareMs = nowMs;
  }

  appending(nowMs: number): void {
    this.#appendMs = nowMs;
  }

  /** The step is committed at `nowMs`: its durations, and everything begins anew. */
  finish(nowMs: number): { computeMs: number; dataMs: number; exchangeMs: number; commitMs: number } {
    const firstGrantMs = this.#firstGrantMs ?? nowMs;
    const lastSlotMs = Math.max(this.#lastSlotMs ?? firstGrantMs, firstGrantMs);
    const lastPrepareMs = Math.max(this.#lastPrepareMs ?? lastSlotMs, lastSlotMs);
    const appendMs = this.#appendMs ?? lastPrepareMs;
    const dataMs = this.#dataMs;
    this.#dataMs = 0;
    this.#firstGrantMs = this.#lastSlotMs = this.#lastPrepareMs = this.#appendMs = null;
    return {
      computeMs: lastSlotMs - firstGrantMs,
      dataMs,
      exchangeMs: lastPrepareMs - lastSlotMs,
      commitMs: Math.max(0, nowMs - Math.min(appendMs, lastPrepareMs)),
    };
  }
}
