// The other process of `cria bench control`: one coordinator, and a server of bare streams beside it.
import { CriaError, present } from '@cria/runtime';
import { runCoordinator } from '../main.js';
import type { CoordinatorOptions } from '../options.js';
import { startBareServer } from './bare-streams.js';

process.once('message', (options: CoordinatorOptions) => {
  startBareServer().then(
    (port) => present(process.send?.bind(process), 'a parent')({ barePort: port }),
    (error: unknown) => fail(error),
  );
  runCoordinator(options, new AbortController().signal).then(() => process.exit(0), fail);
});
process.once('disconnect', () => process.exit(0));

function fail(error: unknown): void {
  process.stderr.write(`${CriaError.from(error).message}\n`);
  process.exit(1);
}
