// Faults for the exchange thread's frames: what to do to which of them.
import { setTimeout as delay } from 'node:timers/promises';
import type { FetchRequest } from '@cria/protocol';
import type { FrameTap } from '../wire/part-source.js';

export interface TapRule {
  /** Frames of this content only. */
  readonly content: number;
  readonly part?: number;
  /** Frames of data, not headers. */
  readonly minBytes?: number;
  /** How many frames are hit. */
  readonly times: number;
  readonly fault: { readonly kind: 'flip' | 'cut' } | { readonly kind: 'delay'; readonly ms: number };
}

/** A tap for `StartOptions.tap`. */
export function createTap(data: unknown): FrameTap {
  const left = (data as readonly TapRule[]).map((rule) => ({ rule, times: rule.times }));
  return async (frame: Buffer, request: FetchRequest) => {
    const hit = left.find(({ rule, times }) => times > 0 && applies(rule, frame, request));
    if (hit === undefined) return;
    hit.times--;
    await apply(hit.rule, frame);
  };
}

function applies(rule: TapRule, frame: Buffer, request: FetchRequest): boolean {
  const isPart = rule.part === undefined || rule.part === request.part;
  return rule.content === request.content && isPart && frame.length >= (rule.minBytes ?? 0);
}

async function apply({ fault }: TapRule, frame: Buffer): Promise<void> {
  switch (fault.kind) {
    case 'flip':
      frame[frame.length - 1]! ^= 4;
      return;
    case 'delay':
      await delay(fault.ms);
      return;
    case 'cut':
      throw new Error('the stream is cut here');
  }
}
