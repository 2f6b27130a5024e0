// Peer.Fetch as grpc-js sees it: the request is a small protobuf message, the answer raw frames that no encoder touches.
import type { ServiceDefinition } from '@grpc/grpc-js';
import { FetchRequest } from '@cria/protocol';
import type { OutgoingFrame } from './frame.js';

const identity = (bytes: Buffer): Buffer => bytes;

/** grpc-js takes no more of a serialised message than {@link OutgoingFrame} has; `peer.test.ts` notices if it does. */
const asMessage = (frame: OutgoingFrame): Buffer => frame as Buffer;

export const PEER_SERVICE: ServiceDefinition = {
  fetch: {
    path: '/cria.v1.Peer/Fetch',
    requestStream: false,
    responseStream: true,
    requestSerialize: (request: FetchRequest) => Buffer.from(FetchRequest.encode(request).finish()),
    requestDeserialize: (bytes: Buffer) => FetchRequest.decode(bytes),
    responseSerialize: asMessage,
    responseDeserialize: identity,
  },
};

/** Bytes that may be under way to a client unread; only the client side of grpc-js honours the option. */
export const FLOW_CONTROL_WINDOW_BYTES = 8 << 20;

/** Payload bytes of one data frame: most parts fit into one, which the receiver then keeps without a copy. */
export const CHUNK_BYTES = 2 << 20;

/** A frame is a chunk and its header; everything longer is refused. */
const MAX_MESSAGE_BYTES = 2 * CHUNK_BYTES;

/** Channel options of both sides. Retries are ours: they resume by offset. */
export const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
} as const;

/** Metadata key of the bearer token. */
export const TOKEN_KEY = 'authorization';
