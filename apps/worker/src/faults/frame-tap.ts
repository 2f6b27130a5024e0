// Points of an exchange that are reached in the exchange thread: while parts are served. Only loaded where fault points
// are named (libs/runtime, fault-points.ts).
import type { FrameTap } from '@cria/collective';
import { Content } from '@cria/protocol';
import { faultAt, pauseAt } from '@cria/runtime';

/** Where a member stands when it sends bytes of this content. */
const POINTS: Partial<Record<Content, string>> = {
  [Content.CONTENT_ACC]: 'reduce-scatter',
  [Content.CONTENT_REDUCED]: 'all-gather',
  [Content.CONTENT_STATE]: 'donating',
};

/** Headers are smaller. */
const DATA_BYTES = 1024;

/** For `StartOptions.tap`. */
export function createTap(): FrameTap {
  return (frame, { content, step }) => {
    const point = POINTS[content];
    if (point === undefined || frame.length < DATA_BYTES) return;
    pauseAt(point, step);
    if (faultAt(`flip-frame-${point}`, step)) frame[frame.length >> 1]! ^= 4;
  };
}
