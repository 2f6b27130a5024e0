// Peer client and server for processes that only move bytes, such as a coordinator: the reference kernels suffice for
// checksums, and no addon is needed.
import { referenceKernels } from '@cria/kernels';
import { PeerClient, type PeerClientOptions } from './peer-client.js';
import { PeerServer, type PeerServerOptions } from './peer-server.js';

export function plainPeerClient(options: Omit<PeerClientOptions, 'kernels'>): PeerClient {
  return new PeerClient({ ...options, kernels: referenceKernels });
}

export function plainPeerServer(options: Omit<PeerServerOptions, 'kernels'>): PeerServer {
  return new PeerServer({ ...options, kernels: referenceKernels });
}
