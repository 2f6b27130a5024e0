export type { FlatLayout, FlatTensor, TensorSegment } from './flat-layout.js';
export { segmentsOf } from './flat-layout.js';
export type { Range } from './range-coverage.js';
export { encodeHeader, parseHeader } from './safetensors/header.js';
export type { SafetensorsHeader, TensorEntry, TensorSpec } from './safetensors/header.js';
export type { Dtype } from './safetensors/dtype.js';
export { TensorSet } from './safetensors/tensor-set.js';
export { checkpointName, parseCheckpointName } from './checkpoint-name.js';
export type {
  CheckpointStore,
  ReadableFile,
  StagedCheckpoint,
  StoredCheckpoint,
  WritableFile,
} from './store/checkpoint-store.js';
export { DirectoryStore } from './store/directory-store.js';
export { formatManifest, parseManifest } from './manifest.js';
export type { Manifest, ManifestFile } from './manifest.js';
export { formatTrainerState, parseTrainerState } from './trainer-state.js';
export type { TrainerState } from './trainer-state.js';
export { STATE_KINDS, tensorName } from './tensor-files.js';
export type { StateKind } from './tensor-files.js';
export { CheckpointWriter, DEFAULT_MAX_FILE_BYTES } from './checkpoint-writer.js';
export type {
  BeginCheckpointOptions,
  CheckpointFacts,
  CommittedCheckpoint,
  NamedBytes,
} from './checkpoint-writer.js';
export { CheckpointReader } from './checkpoint-reader.js';
export type { OpenCheckpointOptions } from './checkpoint-reader.js';
export { readManifest, readWhole, verifyCheckpoint } from './verify.js';
export type { Verification, VerifyOptions } from './verify.js';
export { newestVerified, pruneCheckpoints, requireVerified } from './retention.js';
export type { NewestVerified, Pruned, PruneOptions, RejectedCheckpoint } from './retention.js';
export { HuggingFaceModel, modelFingerprint } from './hugging-face-model.js';
export { checkpointStoreConformance } from './store/store-conformance.js';
export type { ConformanceCase } from './store/store-conformance.js';
export { exportHuggingFace } from './export-hugging-face.js';
export type { ExportOptions } from './export-hugging-face.js';
