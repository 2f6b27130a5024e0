// Named places where a test can stop a process and look at it, or kill it there: the kill matrix reaches every point of
// the protocol by name instead of by sleeping and hoping.
import { systemCode } from '@cria/runtime';
import { writeFileSync } from 'node:fs';

export type PausePoint = 'computing' | 'exchanging' | 'prepared' | 'applying' | 'joining';

let paused = false;

/** This process stands at its pause point: it hears nothing any more, though it lives. */
export function isPaused(): boolean {
  return paused;
}

/**
 * Never returns when CRIA_PAUSE_AT is `point@step` and no other process has stopped there yet; whoever stops writes
 * its pid into CRIA_PAUSE_FILE. Does nothing otherwise.
 */
export async function pausePoint(point: PausePoint, step: number): Promise<void> {
  const file = process.env['CRIA_PAUSE_FILE'];
  if (file === undefined || process.env['CRIA_PAUSE_AT'] !== `${point}@${step}`) return;
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    paused = true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    throw error;
  }
  await new Promise(() => undefined);
}
