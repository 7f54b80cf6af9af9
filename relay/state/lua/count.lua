-- KEYS: the counter, a hash. ARGV: the step, and within what it counts; within something else it
-- begins anew; a step of 0 only looks. Returns what it said before: as text, for it has 64 bits.
local found = redis.call('HMGET', KEYS[1], 'number', 'within')
local before = found[1] or '0'
local anew = (found[2] or '') ~= ARGV[2]
if anew then
  before = '0'
end
if ARGV[1] == '0' then
  return before
end
if anew then
  redis.call('DEL', KEYS[1])
end
redis.call('HINCRBY', KEYS[1], 'number', ARGV[1])
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'within', ARGV[2])
end
redis.call('EXPIRE', KEYS[1], 7 * 86400)
return before
