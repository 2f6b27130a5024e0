/** One rule of PROTOCOL section 8 that did not hold. */
export interface Violation {
  /** `I1` to `I11`, or `crash` for an error that nothing in the schedule explains. */
  readonly rule: string;
  readonly atMs: number;
  readonly text: string;
}

/** Ends the simulation at the first violation. */
export class ViolationFound extends Error {
  readonly violation: Violation;

  constructor(violation: Violation) {
    super(`${violation.rule} at ${violation.atMs.toFixed(1)} ms: ${violation.text}`);
    this.violation = violation;
  }
}
