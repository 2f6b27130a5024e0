// What somebody who was away has missed, from the rows and events that a run's files hold.
import type { MetricHistory, RunEvent, StepMetrics } from '@cria/metrics';
import { formatCursor } from './live-hub.js';
import type { Cursor } from './live-hub.js';
import type { LiveMessage } from './run-view.js';

/** More than that is read faster as series and markers. */
export const MOST_MISSED = 5000;

/** In the order in which it happened; null when it is too much. */
export function missedMessages(
  since: Cursor,
  history: MetricHistory,
  events: readonly RunEvent[],
): LiveMessage[] | null {
  const rows = missedRows(since, history);
  if (rows === null) return null;
  const later = events.filter(({ seq }) => seq > since.event);
  const [oldest] = events;
  // Older events are no longer in memory.
  if (oldest !== undefined && oldest.seq > since.event + 1) return null;
  if (rows.length + later.length > MOST_MISSED) return null;
  return merged(since, rows, later);
}

function missedRows(since: Cursor, history: MetricHistory): StepMetrics[] | null {
  const stretches = history.segments.map(({ segment, firstStep }, i) => ({
    segment,
    from: segment === since.segment ? Math.max(firstStep, since.step + 1) : firstStep,
    end: history.segments[i + 1]?.firstStep ?? history.endStep,
  }));
  const missed = stretches.filter(({ segment, from, end }) => segment >= since.segment && from < end);
  const count = missed.reduce((sum, { from, end }) => sum + end - from, 0);
  if (count > MOST_MISSED) return null;
  return missed.flatMap(({ from, end }) => {
    const steps = Array.from({ length: end - from }, (_, i) => history.at(from + i));
    return steps.filter((row) => row !== null);
  });
}

/** By time; rows among themselves and events among themselves keep their order, whatever the clocks say. */
function merged(since: Cursor, rows: readonly StepMetrics[], events: readonly RunEvent[]): LiveMessage[] {
  const messages: LiveMessage[] = [];
  let cursor = since;
  let nextEvent = 0;
  const takeEvents = (untilWallMs: number): void => {
    for (; nextEvent < events.length; nextEvent++) {
      const data = events[nextEvent] as RunEvent;
      if (data.wallMs > untilWallMs) return;
      cursor = { ...cursor, event: data.seq };
      messages.push({ cursor: formatCursor(cursor), type: 'event', data });
    }
  };
  for (const data of rows) {
    takeEvents(data.wallMs);
    cursor = { ...cursor, segment: data.segment, step: data.step };
    messages.push({ cursor: formatCursor(cursor), type: 'step', data });
  }
  takeEvents(Infinity);
  return messages;
}
