// The control service with one change: what is sent to many workers is encoded once. An Exchange names every member, so
// encoding it anew for each of a thousand costs seconds of the leader's only thread.
import { ControlService, FromLeader } from '@cria/protocol';

type Message = NonNullable<FromLeader['message']>;

const encoded = new WeakMap<Message, Buffer>();

function serialize(value: FromLeader): Buffer {
  const { message } = value;
  const known = message === undefined ? undefined : encoded.get(message);
  if (known !== undefined) return known;
  const bytes = Buffer.from(FromLeader.encode(value).finish());
  if (message !== undefined) encoded.set(message, bytes);
  return bytes;
}

/** Messages are told apart by identity: whoever sends one to many sends the same object. */
export const ControlServiceEncodingOnce = {
  ...ControlService,
  connect: { ...ControlService.connect, responseSerialize: serialize },
} as const;
