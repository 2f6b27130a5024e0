// What a failed command means to the caller: wait and repeat it, mend the configuration, or a bug of ours.
import { CriaError, type ErrorCode } from '@cria/runtime';

const START_REMEDY = 'start one with `cria up`, or check --redis and REDIS_URL';

/** Redis' own error prefixes (redis.io/docs, "Redis serialization protocol", simple errors) and what each asks for. */
const REPLY_CODES: Readonly<Record<string, { code: ErrorCode; remedy: string }>> = {
  OOM: { code: 'REDIS_UNAVAILABLE', remedy: 'raise its maxmemory or remove what else is stored there' },
  MISCONF: { code: 'REDIS_UNAVAILABLE', remedy: 'it cannot write to its disk: free some space' },
  LOADING: { code: 'REDIS_UNAVAILABLE', remedy: 'it is still reading its files' },
  READONLY: { code: 'REDIS_UNAVAILABLE', remedy: 'this is a replica: name the primary' },
  MASTERDOWN: { code: 'REDIS_UNAVAILABLE', remedy: 'its primary is down' },
  CLUSTERDOWN: { code: 'REDIS_UNAVAILABLE', remedy: 'the cluster is down' },
  BUSY: { code: 'REDIS_UNAVAILABLE', remedy: 'another script runs too long' },
  NOAUTH: { code: 'CONFIG_INVALID', remedy: 'put the password into the URL: redis://:PASSWORD@HOST:PORT' },
  WRONGPASS: { code: 'CONFIG_INVALID', remedy: 'check the user and the password in the URL' },
  NOPERM: { code: 'CONFIG_INVALID', remedy: 'the user needs EVAL, EVALSHA, PUBLISH, SUBSCRIBE on cria:*' },
};

/**
 * Any error of a Redis command as a CriaError.
 *
 * @param what what was being done, for the message
 * @param url the server, without password
 */
export function redisError(error: unknown, what: string, url: string): CriaError {
  if (CriaError.is(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/^(Blocking c|C)ommand timed out/.test(message)) {
    return new CriaError('DEADLINE_EXCEEDED', `${what}: Redis at ${url} did not answer in time`, {
      cause: error,
    });
  }
  if (/certificate|altname/i.test(message)) {
    const remedy = 'name the authority that signed it by NODE_EXTRA_CA_CERTS=ca.pem';
    return new CriaError('CONFIG_INVALID', `${what}: the certificate of ${url}: ${message}; ${remedy}`, {
      cause: error,
    });
  }
  const reply = REPLY_CODES[message.split(' ', 1)[0] ?? ''];
  if (reply !== undefined) {
    return new CriaError(reply.code, `${what}: Redis at ${url} says "${message}"; ${reply.remedy}`, {
      cause: error,
    });
  }
  if (error instanceof Error && error.name === 'ReplyError') {
    return new CriaError('INTERNAL', `${what}: Redis at ${url} says "${message}"`, { cause: error });
  }
  return new CriaError('REDIS_UNAVAILABLE', `${what}: no Redis at ${url} (${message}); ${START_REMEDY}`, {
    cause: error,
  });
}
