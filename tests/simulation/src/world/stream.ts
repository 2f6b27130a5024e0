// A control stream: messages in order in both directions, and an end that each side learns of in its own time.
import { Lane } from './network.js';
import type { SimProcess } from './process.js';

type Carried<M> =
  { readonly kind: 'message'; readonly message: M } | { readonly kind: 'end'; readonly why: string };

/** One side of a stream. After `close` it still hears what the other side says until that ends it too. */
export class StreamEnd<In, Out> {
  readonly process: SimProcess;
  onMessage: (message: In) => void = () => undefined;
  /** The other side ended the stream, or it broke. */
  onEnd: (why: string) => void = () => undefined;
  #out!: Lane<Carried<Out>>;
  #sends = true;
  #hears = true;

  constructor(process: SimProcess) {
    this.process = process;
  }

  attach(out: Lane<Carried<Out>>): void {
    this.#out = out;
  }

  send(message: Out): void {
    if (this.#sends) this.#out.send({ kind: 'message', message });
  }

  /** Ends the stream after what was sent. */
  close(why: string): void {
    if (!this.#sends) return;
    this.#sends = false;
    this.#out.send({ kind: 'end', why });
  }

  /** Ends it now, in both directions: what is under way may be lost. */
  break(why: string): void {
    this.#hears = false;
    if (!this.#sends) return;
    if (this.process.world.rng.below(2) === 0) this.#out.cut();
    this.close(why);
  }

  take(carried: Carried<In>): void {
    if (!this.#hears) return;
    if (carried.kind === 'message') return this.onMessage(carried.message);
    this.#hears = false;
    this.onEnd(carried.why);
  }
}

/** Both ends of a new stream; a dead server refuses it. */
export function openStream<ToServer, ToClient>(
  client: SimProcess,
  server: SimProcess,
): { client: StreamEnd<ToClient, ToServer>; server: StreamEnd<ToServer, ToClient> } {
  const { world } = client;
  const clientEnd = new StreamEnd<ToClient, ToServer>(client);
  const serverEnd = new StreamEnd<ToServer, ToClient>(server);
  clientEnd.attach(new Lane(world, { from: client.host, to: server }, (carried) => serverEnd.take(carried)));
  serverEnd.attach(new Lane(world, { from: server.host, to: client }, (carried) => clientEnd.take(carried)));
  client.onDeath(() => clientEnd.break('connection reset'));
  server.onDeath(() => serverEnd.break('connection reset'));
  if (!server.alive) serverEnd.break('connection refused');
  return { client: clientEnd, server: serverEnd };
}
