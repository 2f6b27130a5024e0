import { CriaError, systemCode } from '@cria/runtime';

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free space, or lower checkpoint.keep',
  EDQUOT: 'the disk quota is used up: free space, or lower checkpoint.keep',
  EACCES: 'permit writing there, or choose another checkpoint.store',
  EPERM: 'permit writing there, or choose another checkpoint.store',
  EROFS: 'the file system is read-only: choose another checkpoint.store',
  EIO: 'the disk reports an error: choose another checkpoint.store',
};

/** What the operating system refused, with the remedy where one is known. CriaErrors pass unchanged. */
export function storageFailure(what: string, error: unknown): CriaError {
  if (CriaError.is(error)) return error;
  const why = systemCode(error) ?? (error instanceof Error ? error.message : 'unknown error');
  const remedy = REMEDIES[why];
  return new CriaError('STORAGE_FAILED', `${what}: ${why}${remedy === undefined ? '' : `; ${remedy}`}`, {
    context: { why },
    cause: error,
  });
}
