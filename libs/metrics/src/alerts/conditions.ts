// Whether something is wrong, over time: it has to be wrong so often before it counts (debounce), and well again so often before
// it is over (hysteresis). Pure; what a reading means is the rules' business.
import type { Alert, AlertRule, Severity } from './alert.js';

/** What one rule sees of one subject now. hold: between the threshold that raises and the one that ends. */
export interface Reading {
  readonly rule: AlertRule;
  /** The worker or metric that it is about; one alert at a time for each. */
  readonly subject: string;
  readonly verdict: 'bad' | 'good' | 'hold';
  /** For an alert that is raised, or a longer story of one that goes on. */
  readonly text: string;
  readonly severity: Severity;
  readonly metric?: string;
  readonly worker?: string;
  /** Readings in a row that raise it, and that end it. */
  readonly raiseAfter: number;
  readonly endAfter: number;
}

export interface Condition {
  readonly bad: number;
  readonly good: number;
  /** The alert that is firing. */
  readonly alert: Alert | null;
}

export interface Conditions {
  readonly open: ReadonlyMap<string, Condition>;
  /** Counts alerts, for their ids. */
  readonly raised: number;
}

export const NO_CONDITIONS: Conditions = { open: new Map(), raised: 0 };

/** Where and when a reading was taken. */
export interface Moment {
  readonly step: number;
  readonly wallMs: number;
}

/** @returns the alerts that were raised or have ended, as they are now */
export function judge(
  conditions: Conditions,
  readings: readonly Reading[],
  moment: Moment,
): { conditions: Conditions; changed: readonly Alert[] } {
  if (readings.length === 0) return { conditions, changed: [] };
  const open = new Map(conditions.open);
  const changed: Alert[] = [];
  let { raised } = conditions;
  for (const reading of readings) {
    const key = `${reading.rule} ${reading.subject}`;
    const before = open.get(key) ?? { bad: 0, good: 0, alert: null };
    const after = step(before, reading, moment, raised + 1);
    if (after.alert !== before.alert) {
      const told = after.alert ?? ended(before.alert as Alert, moment);
      if (after.alert !== null) raised++;
      changed.push(told);
    }
    if (after.alert === null && after.bad === 0) open.delete(key);
    else open.set(key, after);
  }
  return { conditions: { open, raised }, changed };
}

/** Ends whatever is about a subject that is gone. */
export function withoutSubject(
  conditions: Conditions,
  isGone: (alert: Alert) => boolean,
  moment: Moment,
): { conditions: Conditions; changed: readonly Alert[] } {
  const gone = [...conditions.open].filter(([, { alert }]) => alert !== null && isGone(alert));
  if (gone.length === 0) return { conditions, changed: [] };
  const open = new Map(conditions.open);
  for (const [key] of gone) open.delete(key);
  return {
    conditions: { ...conditions, open },
    changed: gone.map(([, { alert }]) => ended(alert as Alert, moment)),
  };
}

function step(before: Condition, reading: Reading, moment: Moment, number: number): Condition {
  const bad = reading.verdict === 'bad' ? before.bad + 1 : reading.verdict === 'hold' ? before.bad : 0;
  const good = reading.verdict === 'good' ? before.good + 1 : 0;
  if (before.alert !== null) {
    return good >= reading.endAfter ? { bad: 0, good: 0, alert: null } : { ...before, bad, good };
  }
  if (bad < reading.raiseAfter) return { bad, good, alert: null };
  return { bad, good: 0, alert: raise(reading, moment, number) };
}

function raise(reading: Reading, { step, wallMs }: Moment, number: number): Alert {
  const { rule, severity, text, metric, worker } = reading;
  return {
    // The time keeps apart what two lives of a run raise at one step.
    id: `${rule}-${step}-${wallMs}-${number}`,
    ...{ rule, severity, step, text },
    state: 'firing',
    metric: metric ?? null,
    worker: worker ?? null,
    startedWallMs: wallMs,
    updatedWallMs: wallMs,
    endedWallMs: null,
    acknowledgedWallMs: null,
  };
}

function ended(alert: Alert, { wallMs }: Moment): Alert {
  return { ...alert, state: 'resolved', updatedWallMs: wallMs, endedWallMs: wallMs };
}
