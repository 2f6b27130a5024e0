import { createServer } from 'node:net';
import { CriaError, systemCode } from '@cria/runtime';

/** @throws CriaError PORT_IN_USE or USAGE when `port` of `host` cannot be listened on; 0 always can */
export function expectFreePort(port: number, host: string): Promise<void> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, port, host)));
    server.listen(port, host, () => server.close(() => resolve()));
  });
}

function explain(error: Error, port: number, host: string): CriaError {
  if (systemCode(error) === 'EADDRINUSE') {
    const sentence = `port ${port} of ${host} is taken: stop what listens there, or choose another with --http-port`;
    return new CriaError('PORT_IN_USE', sentence, { cause: error });
  }
  return new CriaError('USAGE', `cannot listen on port ${port} of ${host}: ${error.message}`, {
    cause: error,
  });
}
