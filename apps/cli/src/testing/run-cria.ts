// Runs the compiled command as a process, as a person would.
import { spawn } from 'node:child_process';
import { CRIA_SCRIPT } from '../places.js';

export interface CriaResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runCria(
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv; script?: string; uid?: number },
): Promise<CriaResult> {
  const { cwd, env = {}, script = CRIA_SCRIPT, uid } = options;
  const child = spawn(process.execPath, [script, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output }));
  });
}
