// The lease is a hash that expires. `number` is compared as text: both sides write plain decimal integers.
import { luaScript } from '../lua-script.js';

/** The holder as the scripts below return it: {number, leader, address, coordinators} or an empty list. */
const RETURN_HOLDER = `redis.call('HMGET', KEYS[1], 'number', 'leader', 'address', 'coordinators')`;

/**
 * KEYS: lease, term. ARGV: leader, address, coordinators (JSON), leaseMs.
 * Returns {'acquired', number} or {'held', holder}. The number is one above every number given out before,
 * also when the asking leader holds the lease itself (its last reply was lost, or it stepped down).
 */
export const ACQUIRE_LEASE = luaScript(
  'acquiring the lease',
  `
local held = redis.call('HMGET', KEYS[1], 'number', 'leader')
if held[2] and held[2] ~= ARGV[1] then return {'held', ${RETURN_HOLDER}} end
local number = math.max(tonumber(redis.call('GET', KEYS[2]) or 0), tonumber(held[1] or 0)) + 1
redis.call('SET', KEYS[2], string.format('%d', number))
redis.call('HSET', KEYS[1], 'number', string.format('%d', number),
  'leader', ARGV[1], 'address', ARGV[2], 'coordinators', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'acquired', number}
`,
);

/**
 * KEYS: lease. ARGV: number, leader, leaseMs, address, coordinators (JSON).
 * Returns {'renewed'} or {'lost', holder}. PEXPIRE comes first: Redis lets it through when it is out of memory, and
 * with it what the script writes next, so a full Redis does not depose its leader.
 */
export const RENEW_LEASE = luaScript(
  'renewing the lease',
  `
local held = ${RETURN_HOLDER}
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return {'lost', held} end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if held[3] ~= ARGV[4] or held[4] ~= ARGV[5] then
  redis.call('HSET', KEYS[1], 'address', ARGV[4], 'coordinators', ARGV[5])
end
return {'renewed'}
`,
);

/** KEYS: lease. ARGV: number, leader. Returns {'released'} or {'lost', holder}. */
export const RELEASE_LEASE = luaScript(
  'releasing the lease',
  `
local held = ${RETURN_HOLDER}
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return {'lost', held} end
redis.call('DEL', KEYS[1])
return {'released'}
`,
);

/**
 * KEYS: lease, term. ARGV: number, leader, atLeast.
 * Returns {'held', number} or {'lost', holder}: the number is above `atLeast`, raised if it was not.
 * A number above ours under our own id is the outcome of the same call whose reply was lost.
 */
export const RAISE_TERM = luaScript(
  'raising the term',
  `
local held = ${RETURN_HOLDER}
local number = tonumber(held[1] or -1)
if held[2] ~= ARGV[2] or number < tonumber(ARGV[1]) then return {'lost', held} end
if number > tonumber(ARGV[3]) then return {'held', number} end
number = math.max(tonumber(redis.call('GET', KEYS[2]) or 0), tonumber(ARGV[3])) + 1
redis.call('SET', KEYS[2], string.format('%d', number))
redis.call('HSET', KEYS[1], 'number', string.format('%d', number))
return {'held', number}
`,
);

/**
 * The first lines of every script that only the lease holder may run.
 * KEYS[1]: lease. ARGV[1], ARGV[2]: number, leader. Returns {'fenced', holder} from the script unless it is ours.
 */
export const FENCE = `
local held = ${RETURN_HOLDER}
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return {'fenced', held} end
`;
