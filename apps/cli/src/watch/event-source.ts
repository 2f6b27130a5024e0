// Server-Sent Events, which Node 20 has no client for: frames from a response's body.

export interface Frame {
  /** Position to come back with; null when the frame has none. */
  readonly id: string | null;
  readonly event: string;
  readonly data: unknown;
}

/** A stream that sends more than this without an end of frame is not one. */
const MAX_FRAME_CHARACTERS = 16 << 20;

/** Frames in order; null for a comment (a heartbeat). A frame whose data is no JSON is left out. */
export async function* frames(body: AsyncIterable<Uint8Array>): AsyncGenerator<Frame | null, void, void> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true }).replaceAll('\r', '');
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const frame = frameOf(block);
      if (frame !== undefined) yield frame;
    }
    if (text.length > MAX_FRAME_CHARACTERS) return;
  }
}

function frameOf(block: string): Frame | null | undefined {
  let id: string | null = null;
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === 'id') id = value;
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  }
  if (data.length === 0) return block.startsWith(':') ? null : undefined;
  try {
    return { id, event, data: JSON.parse(data.join('\n')) as unknown };
  } catch {
    return undefined;
  }
}
