// What a person may ask of a run with its token, in the words of the dialog that confirms it.
import { acknowledgeAlert, describeRun, sendControl } from '../api/client';
import type { Control } from '../api/client';
import type { Alert, RunSummary } from '../api/types';

export type Ask =
  | { readonly kind: 'control'; readonly control: Control }
  | { readonly kind: 'acknowledge'; readonly alert: Alert; readonly done: (alert: Alert) => void }
  | {
      readonly kind: 'describe';
      readonly tags: readonly string[];
      readonly note: string;
      readonly done: (summary: RunSummary) => void;
    };

export interface Words {
  readonly title: string;
  readonly means: string;
  readonly action: string;
}

const CONTROL_WORDS: Readonly<Record<Control['name'], Words>> = {
  pause: {
    title: 'Pause the run?',
    means: 'It takes effect at the next step; workers keep their state.',
    action: 'Pause',
  },
  resume: { title: 'Go on with the run?', means: 'The next step is granted at once.', action: 'Resume' },
  stop: {
    title: 'Stop the run?',
    means: 'A checkpoint is written first, and the run can be resumed.',
    action: 'Stop',
  },
  scale: {
    title: 'How many workers?',
    means: 'The result is the same to the last bit for any number.',
    action: 'Scale',
  },
  drain: {
    title: 'Send this worker away?',
    means: 'It leaves at the end of the step; its seat opens again.',
    action: 'Drain',
  },
};

export function wordsOf(ask: Ask): Words {
  switch (ask.kind) {
    case 'control':
      return CONTROL_WORDS[ask.control.name];
    case 'acknowledge':
      return { title: 'Acknowledge this alert?', means: ask.alert.text, action: 'Acknowledge' };
    case 'describe':
      return { title: 'Tags and note', means: 'They are kept in notes.json beside the run.', action: 'Save' };
  }
}

/** Whether the dialog is shown although the token is known. */
export function needsConfirmation(ask: Ask): boolean {
  return ask.kind !== 'acknowledge';
}

/** @throws ApiError with the coordinator's own words */
export async function perform(run: string, ask: Ask, token: string): Promise<void> {
  switch (ask.kind) {
    case 'control':
      return sendControl(run, ask.control, token);
    case 'acknowledge':
      return ask.done(await acknowledgeAlert(run, ask.alert.id, token));
    case 'describe':
      return ask.done(await describeRun(run, { tags: ask.tags, note: ask.note }, token));
  }
}
