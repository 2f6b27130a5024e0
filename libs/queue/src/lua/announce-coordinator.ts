import { luaScript } from '../lua-script.js';

/**
 * Writes one coordinator down, forgets those that were silent too long, and answers all that are left.
 * Time is the server's, so the coordinators' clocks need not agree.
 *
 * KEYS: coordinators (hash), seen (sorted set). ARGV: id ('' = only read), body, forget after ms.
 * Returns {id, body, age in ms, id, body, age in ms, ...}.
 */
export const ANNOUNCE_COORDINATOR = luaScript(
  'announcing a coordinator',
  `
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], nowMs, ARGV[1])
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. (nowMs - tonumber(ARGV[3])))) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
local all = {}
local seen = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #seen, 2 do
  local body = redis.call('HGET', KEYS[1], seen[i])
  if body then
    all[#all + 1] = seen[i]
    all[#all + 1] = body
    all[#all + 1] = nowMs - tonumber(seen[i + 1])
  end
end
return all
`,
);
