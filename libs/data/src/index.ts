export { gpt2Tokenizer } from './tokenizer/gpt2-tokenizer.js';
export type { Tokenizer, TokenStreamDecoder } from './tokenizer/tokenizer.js';
export { tokenizerFiles } from './tokenizer/hugging-face-files.js';
export type { TokenizerFile, TokenizerFilesOptions } from './tokenizer/hugging-face-files.js';

export { prepare } from './ingest/prepare.js';
export type { PrepareControl, PrepareOptions, PrepareProgress } from './ingest/prepare.js';
export { prepareFactbook } from './ingest/factbook.js';
export type { PreparedFactbook } from './ingest/factbook.js';

export { inspectTokens } from './token-file/inspect.js';
export type { TokenDirectoryFacts } from './token-file/inspect.js';
export { verifyTokens } from './token-file/verify.js';
export type { VerifyOptions } from './token-file/verify.js';
export { TokenSource } from './token-file/token-source.js';
export type { TokenFileHeader } from './token-file/header.js';
export type { InputFacts, TokenManifest } from './token-file/manifest.js';

export { Dataset, openDataset } from './sequence/dataset.js';
export type { DatasetOptions, SequenceOrder, SequencePlace } from './sequence/dataset.js';
export { slotSequences } from './sequence/slot-sequences.js';
export type { SequenceRange, SlotPlace } from './sequence/slot-sequences.js';
export { permutationKey, permute } from './sequence/permutation.js';
export type { PermutationKey } from './sequence/permutation.js';
export { Mixture } from './sequence/mixture.js';
export type { MixturePlace } from './sequence/mixture.js';
