import { f32Bits, f64Bits, type LedgerMath } from '@cria/ledger';

export interface Difference {
  readonly step: number;
  readonly field: 'stateDigest' | 'gradDigest' | 'gradNorm' | 'lr' | 'loss' | 'flagged';
  readonly ledger: string;
  readonly computed: string;
}

/** In the order in which one follows from the other: the first that differs is where it went wrong. */
export function firstDifference(
  computed: Omit<LedgerMath, 'tokens' | 'verdict'>,
  ledger: LedgerMath,
): Difference | null {
  const fields = [
    ['stateDigest', computed.stateDigest, ledger.stateDigest],
    ['loss', f64Bits(computed.loss), f64Bits(ledger.loss)],
    ['flagged', computed.flagged.join(), ledger.flagged.join()],
    ['gradDigest', computed.gradDigest, ledger.gradDigest],
    ['gradNorm', f64Bits(computed.gradNorm), f64Bits(ledger.gradNorm)],
    ['lr', f32Bits(computed.lr), f32Bits(ledger.lr)],
  ] as const;
  const found = fields.find(([, ours, theirs]) => ours !== theirs);
  if (found === undefined) return null;
  const [field, ours, theirs] = found;
  return { step: ledger.step, field, ledger: theirs, computed: ours };
}
