import type { RunEvent } from '../api/types';

/** In order of seq, each once; the later list wins. */
export function mergeEvents(a: readonly RunEvent[], b: readonly RunEvent[]): readonly RunEvent[] {
  const bySeq = new Map([...a, ...b].map((event) => [event.seq, event]));
  return [...bySeq.values()].sort((x, y) => x.seq - y.seq);
}
