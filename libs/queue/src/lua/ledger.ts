import { luaScript } from '../lua-script.js';
import { FENCE } from './lease.js';

/**
 * KEYS: lease, head, ledger. ARGV: number, leader, step, prevMathHash, mathHash, record.
 * Returns {'ok'}, {'have', record or ''}, {'fenced', holder}, {'behind', step, mathHash} (no head: no step),
 * or {'mismatch', step, mathHash}.
 */
export const APPEND_ENTRY = luaScript(
  'appending to the ledger',
  `
${FENCE}
local head = redis.call('HMGET', KEYS[2], 'step', 'mathHash')
if not head[1] then return {'behind'} end
local step, headStep = tonumber(ARGV[3]), tonumber(head[1])
if step <= headStep then return {'have', redis.call('HGET', KEYS[3], ARGV[3]) or ''} end
if step > headStep + 1 then return {'behind', head[1], head[2]} end
if head[2] ~= ARGV[4] then return {'mismatch', head[1], head[2]} end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[6])
redis.call('HSET', KEYS[2], 'step', ARGV[3], 'mathHash', ARGV[5])
return {'ok'}
`,
);

/**
 * KEYS: lease, staging hash. ARGV: number, leader, ttlMs, then pairs step, record.
 * Returns {'ok'} or {'fenced', holder}.
 */
export const STAGE_ENTRIES = luaScript(
  'refilling the ledger',
  `
${FENCE}
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {'ok'}
`,
);

/**
 * Puts the staged entries in the ledger's place, in one go.
 *
 * KEYS: lease, head, ledger, staging hash.
 * ARGV: number, leader, count, first step, mathHash before the first step, head step, head mathHash.
 * Returns {'ok'}, {'fenced', holder}, {'ahead', step, mathHash} when Redis holds more, {'mismatch', step,
 * mathHash} when it holds other mathematics, {'torn'} when not all entries were staged.
 */
export const COMMIT_REFILL = luaScript(
  'refilling the ledger',
  `
${FENCE}
local head = redis.call('HMGET', KEYS[2], 'step', 'mathHash')
if head[1] then
  if tonumber(head[1]) > tonumber(ARGV[6]) then return {'ahead', head[1], head[2]} end
  local same = redis.call('HGET', KEYS[4], head[1])
  local mathHash = same and cjson.decode(same).mathHash
  if tonumber(head[1]) == tonumber(ARGV[4]) - 1 then mathHash = ARGV[5] end
  if mathHash and mathHash ~= head[2] then return {'mismatch', head[1], head[2]} end
end
if redis.call('HLEN', KEYS[4]) ~= tonumber(ARGV[3]) then return {'torn'} end
redis.call('HSET', KEYS[2], 'step', ARGV[6], 'mathHash', ARGV[7], 'first', ARGV[4])
redis.call('DEL', KEYS[3])
if tonumber(ARGV[3]) > 0 then
  redis.call('RENAME', KEYS[4], KEYS[3])
  redis.call('PERSIST', KEYS[3])
end
return {'ok'}
`,
);

/**
 * KEYS: lease, head, ledger. ARGV: number, leader, belowStep, most entries to remove.
 * Returns {'ok', first step kept} or {'fenced', holder}. The head itself always stays.
 */
export const CUT_LEDGER = luaScript(
  'cutting the ledger',
  `
${FENCE}
local head = redis.call('HMGET', KEYS[2], 'step', 'first')
if not head[1] then return {'ok', 0} end
local first = tonumber(head[2] or 0)
local below = math.min(tonumber(ARGV[3]), tonumber(head[1]), first + tonumber(ARGV[4]))
if below <= first then return {'ok', first} end
redis.call('HSET', KEYS[2], 'first', string.format('%d', below))
for step = first, below - 1 do redis.call('HDEL', KEYS[3], string.format('%d', step)) end
return {'ok', below}
`,
);
