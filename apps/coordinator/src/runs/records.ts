// The records of alerts.jsonl and samples.jsonl.
import type { Alert } from '@cria/metrics';
import type { Sample } from '../http/run-view.js';

export const ALERTS_FILE = 'alerts.jsonl';
export const SAMPLES_FILE = 'samples.jsonl';

export function isSample(value: unknown): value is Sample {
  const { step, prompt, promptText, text } = (value ?? {}) as Partial<Record<string, unknown>>;
  const places = [step, prompt].every((one) => Number.isSafeInteger(one) && (one as number) >= 0);
  return places && (prompt as number) < 1000 && typeof promptText === 'string' && typeof text === 'string';
}

export function isAlert(value: unknown): value is Alert {
  const { id, rule, text, state } = (value ?? {}) as Partial<Record<string, unknown>>;
  return [id, rule, text, state].every((one) => typeof one === 'string');
}

/** Every change of an alert is a line: the last one of each counts. Newest first. */
export function latestAlerts(lines: readonly Alert[]): Alert[] {
  const byId = new Map<string, Alert>();
  for (const alert of lines) {
    byId.delete(alert.id);
    byId.set(alert.id, alert);
  }
  return [...byId.values()].sort((a, b) => b.startedWallMs - a.startedWallMs);
}

/** A sample that was written again (by another leader) counts once. By step, then by prompt. */
export function latestSamples(lines: readonly Sample[]): Sample[] {
  const byPlace = new Map(lines.map((sample) => [`${sample.step} ${sample.prompt}`, sample]));
  return [...byPlace.values()].sort((a, b) => a.step - b.step || a.prompt - b.prompt);
}
