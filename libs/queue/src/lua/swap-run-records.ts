import { luaScript } from '../lua-script.js';

/**
 * Replaces fields of a hash if none of them changed since they were read.
 *
 * KEYS: the hash. ARGV: triples field, expected value, new value; '' = absent.
 * Returns 1 when written, 0 when another was faster and nothing was written.
 */
export const SWAP_RUN_RECORDS = luaScript(
  'writing the list of runs',
  `
for i = 1, #ARGV, 3 do
  local stored = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  if stored ~= ARGV[i + 1] then return 0 end
end
for i = 1, #ARGV, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end
return 1
`,
);
