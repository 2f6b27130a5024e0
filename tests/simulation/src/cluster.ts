// Everything that the simulated processes share: the world, the stores, where who listens, what people configured.
import type { LeaderRules } from '@cria/coordinator/decide/leader-state';
import type { Invariants } from './invariants.js';
import type { Oracle } from './model/oracle.js';
import type { Durable } from './stores/durable.js';
import type { FakeRedis } from './stores/fake-redis.js';
import type { ControlServer } from './coordinator/control-server.js';
import type { PeerSource } from './worker/peer.js';
import type { SimProcess } from './world/process.js';
import type { World } from './world/world.js';
import type { Mutants } from './mutants.js';

export interface Listener<T> {
  readonly process: SimProcess;
  readonly serves: T;
}

export interface Timeouts {
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly leaseMs: number;
  readonly skewMs: number;
  readonly seatMs: number;
}

export interface Cluster {
  readonly world: World;
  readonly redis: FakeRedis;
  readonly durable: Durable;
  readonly oracle: Oracle;
  readonly invariants: Invariants;
  readonly rules: LeaderRules;
  readonly timeouts: Timeouts;
  readonly mutants: Mutants;
  /** Control services by address. */
  readonly coordinators: Map<string, Listener<ControlServer>>;
  /** Peer.Fetch services by address. */
  readonly peers: Map<string, Listener<PeerSource>>;
  /** Addresses of all coordinators, dead or alive. */
  readonly coordinatorAddresses: readonly string[];
  /** What `cria up` asked for at the start. */
  readonly initialTarget: number;
  onEnded(ending: string, reason: string): void;
}
