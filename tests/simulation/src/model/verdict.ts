// The real rules for anomalies over a short window: a simulated run has a dozen steps.
import {
  LOSS_WINDOW,
  lossWindow,
  skipsRunning,
  verdictOf,
  type LedgerEntry,
  type LedgerMath,
  type Verdict,
} from '@cria/ledger';
import { FLAGGED, meanLoss, type Shape } from './mathematics.js';

/** Losses that a verdict looks at, and the first step that it is given for. */
const WINDOW = 3;

/** What `history` has to be: the entries before this step, or as many of them as the verdict looks at. */
export type VerdictHistory = ReadonlyArray<{ readonly math: LedgerMath }>;

/** The mathematical half of an entry, from what Prepare says and the ledger before it. */
export function mathOf(
  prepared: {
    readonly step: number;
    readonly stateDigest: string;
    readonly gradDigest: string;
    readonly gradNorm: number;
    readonly losses: readonly number[];
  },
  history: VerdictHistory,
  shape: Shape,
): LedgerMath {
  const { step, stateDigest, gradDigest, gradNorm, losses } = prepared;
  const loss = meanLoss(losses);
  const flagged = losses.flatMap((value, slot) => (value === FLAGGED ? [slot] : []));
  const verdict = judge({ step, loss, gradNorm, flagged }, history, shape);
  return { step, tokens: 1, lr: 1, stateDigest, gradDigest, gradNorm, loss, flagged, verdict };
}

function judge(
  numbers: { step: number; loss: number; gradNorm: number; flagged: readonly number[] },
  history: VerdictHistory,
  { anomalies }: Shape,
): Verdict {
  if (anomalies === null) return 'use';
  const entries = history as readonly LedgerEntry[];
  const window = lossWindow(entries, WINDOW);
  const isJudged = numbers.step >= WINDOW && window.length > 0;
  const step = isJudged ? numbers.step + LOSS_WINDOW : 0;
  return verdictOf({ ...numbers, step, rules: anomalies, window, skipsRunning: skipsRunning(entries) })
    .verdict;
}
