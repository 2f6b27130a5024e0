// A cluster whose processes are started one by one, as on several machines: Redis, coordinators, workers.
import { startLocalRedis, type LocalRedis } from '@cria/queue';
import { silentLog, systemClock } from '@cria/runtime';
import { join } from 'node:path';
import { startCria, type CriaProcess } from './cria.js';
import { BUDGET_SETTINGS } from './disturbed-run.js';
import { reference } from './reference.js';
import type { Stage } from './stage.js';

export class ByHand {
  readonly #stage: Stage;
  readonly #redis: LocalRedis;

  private constructor(stage: Stage, redis: LocalRedis) {
    this.#stage = stage;
    this.#redis = redis;
  }

  static async start(stage: Stage): Promise<ByHand> {
    const redis = await startRedis(join(stage.folder, 'redis'));
    return new ByHand(stage, redis);
  }

  get redisPort(): number {
    return this.#redis.port;
  }

  coordinator(flags: readonly string[] = [], redisPort: number = this.#redis.port): CriaProcess {
    const settings = [...BUDGET_SETTINGS, 'workers.target=2'].flatMap((value) => ['--set', value]);
    // The reference's own configuration, in which the engine is named.
    const config = ['--config', reference().stage.run.file('config.yaml'), ...settings];
    const own = ['--redis', `redis://127.0.0.1:${redisPort}`, '--out', this.#stage.run.path];
    return this.#start(['coordinator', '--json', ...config, ...own, ...flags]);
  }

  worker(env: NodeJS.ProcessEnv = {}): CriaProcess {
    const redis = `redis://127.0.0.1:${this.#redis.port}`;
    return this.#start(['worker', '--redis', redis, '--run', 'tiny', '--threads', '1'], env);
  }

  stop(): Promise<void> {
    return this.#redis.stop();
  }

  #start(args: readonly string[], env: NodeJS.ProcessEnv = {}): CriaProcess {
    const started = startCria(args, { cwd: this.#stage.folder, env });
    return this.#stage.add(`cria ${args[0]}`, started);
  }
}

export function startRedis(dir: string, port?: number): Promise<LocalRedis> {
  const options = { dir, clock: systemClock, log: silentLog };
  return startLocalRedis(port === undefined ? options : { ...options, port });
}
