import type { Cluster } from '../cluster.js';
import { SimProcess } from '../world/process.js';
import { Coordinator } from './coordinator.js';

/** A coordinator's place under `cria up`: a dead process is replaced after a while. */
export class CoordinatorPlace {
  readonly name: string;
  readonly #cluster: Cluster;
  #process: SimProcess;
  #coordinator: Coordinator | null = null;
  #lives = 0;

  constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.name = name;
    this.#process = new SimProcess(cluster.world, name, name);
  }

  get process(): SimProcess {
    return this.#process;
  }

  get leads(): boolean {
    return this.#process.alive && this.#coordinator?.leads === true;
  }

  /** SIGTERM. */
  leave(): void {
    const process = this.#process;
    const coordinator = this.#coordinator;
    if (!process.alive || coordinator === null) return;
    process.arrive(0, () => coordinator.leave());
  }

  start(): void {
    const { world } = this.#cluster;
    // Leader ids are new with every process; the place keeps its address.
    const process = new SimProcess(world, `${this.name}.${++this.#lives}`, this.name);
    this.#process = process;
    process.onDeath(() => {
      world.log(process.id, () => 'dies');
      world.at(world.nowMs + world.between(50, 1500), () => this.start());
    });
    this.#coordinator = new Coordinator(this.#cluster, process, addressOf(this.name));
    this.#coordinator.start();
  }
}

export function addressOf(name: string): string {
  return `control:${name}`;
}
