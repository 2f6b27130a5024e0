import { luaScript } from '../lua-script.js';

/**
 * KEYS: desired (also the channel). ARGV: expected revision, new revision, body.
 * Returns {'set'}, {'conflict', body} when the revision is another, {'missing'} when there is none.
 */
export const SET_DESIRED = luaScript(
  'changing what is desired',
  `
local stored = redis.call('HMGET', KEYS[1], 'revision', 'body')
if not stored[1] then return {'missing'} end
if stored[1] ~= ARGV[1] then return {'conflict', stored[2]} end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'body', ARGV[3])
redis.call('PUBLISH', KEYS[1], ARGV[3])
return {'set'}
`,
);

/**
 * Stores it unless Redis holds this revision or a higher one.
 *
 * KEYS: desired. ARGV: revision, body. Returns {'stored'} or {'kept', body}.
 */
export const OFFER_DESIRED = luaScript(
  'refilling what is desired',
  `
local stored = redis.call('HMGET', KEYS[1], 'revision', 'body')
if stored[1] and tonumber(stored[1]) >= tonumber(ARGV[1]) then return {'kept', stored[2]} end
redis.call('HSET', KEYS[1], 'revision', ARGV[1], 'body', ARGV[2])
redis.call('PUBLISH', KEYS[1], ARGV[2])
return {'stored'}
`,
);
