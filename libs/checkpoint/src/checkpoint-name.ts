// Names inside a store and inside a checkpoint.

/** Directory of the checkpoint after `step` committed steps: step-00000050. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

/** The step of a name as {@link checkpointName} gives it, and what follows it (`.writing-c1`); null for other names. */
export function parseCheckpointName(name: string): { readonly step: number; readonly suffix: string } | null {
  const match = /^step-(\d{8,15})(\..+)?$/.exec(name);
  return match === null ? null : { step: Number(match[1]), suffix: match[2] ?? '' };
}

export const MANIFEST_FILE = 'manifest.json';
export const TRAINER_STATE_FILE = 'trainer-state.json';
export const LEDGER_FILE = 'ledger.jsonl';
