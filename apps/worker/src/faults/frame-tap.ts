// Points of an exchange that are reached in the exchange thread: while parts are served. Only loaded where fault points
// are named (libs/runtime, fault-points.ts).
import type { FrameTap } from '@cria/collective';
import { Content } from '@cria/protocol';
import { faultAt, pauseAt } from '@cria/runtime';

/** Where a member stands when it sends bytes of this content; a checkpoint's stripes go to a coordinator. */
function pointOf(content: Content, to: string): string | null {
  switch (content) {
    case Content.CONTENT_ACC:
      return 'reduce-scatter';
    case Content.CONTENT_REDUCED:
      return 'all-gather';
    case Content.CONTENT_STATE:
      return to.startsWith('coordinator-') ? 'storing' : 'donating';
    default:
      return null;
  }
}

/** Headers are smaller. */
const DATA_BYTES = 1024;

/** For `StartOptions.tap`. */
export function createTap(): FrameTap {
  return (frame, { content, step, from }) => {
    const point = pointOf(content, from);
    if (point === null || frame.length < DATA_BYTES) return;
    pauseAt(point, step);
    if (faultAt(`flip-frame-${point}`, step)) frame[frame.length >> 1]! ^= 4;
  };
}
