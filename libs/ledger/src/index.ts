export type {
  Desired,
  LedgerEntry,
  LedgerMath,
  LedgerOps,
  LedgerTerm,
  MemberSlots,
  Verdict,
} from './entry.js';
export { f32Bits, f32FromBits, f64Bits, f64FromBits } from './float-bits.js';
export { canonicalMath, canonicalOps, LEDGER_VERSION } from './canonical.js';
export {
  genesisPoint,
  linkFault,
  mathFollows,
  mathHashAfter,
  opsHashAfter,
  pointAfter,
  seal,
} from './chain.js';
export type { ChainPoint } from './chain.js';
export { formatLine, parseLine } from './line.js';
export { verifyChain } from './verify.js';
export type { ChainReport } from './verify.js';
export { longestVerified, verifiedEnd } from './head.js';
export type { Anchor, Divergence, HeadChoice, LedgerCopy, RejectedCopy } from './head.js';
export { meanLoss } from './mean-loss.js';
export { parseCopy } from './copy.js';
export {
  LOSS_WINDOW,
  lossWindow,
  SKIPS_THAT_STOP,
  skipsRunning,
  VERDICT_HISTORY,
  verdictOf,
} from './anomalies.js';
export type { AnomalyRules, VerdictChoice, VerdictInput } from './anomalies.js';
export { audit } from './audit.js';
export type { AuditInput, AuditReport, ManifestFacts } from './audit.js';
export { entriesOf, loadLedger, readLedger } from './ledger-reader.js';
export type { CutOffLine, ReadLedgerOptions } from './ledger-reader.js';
export { LedgerFile } from './ledger-file.js';
export type { TakeOverOptions } from './ledger-file.js';
