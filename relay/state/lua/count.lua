-- KEYS: the counter. ARGV: the step. Returns what it said before: as text, for it has 64 bits.
local before = redis.call('GET', KEYS[1]) or '0'
redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], 7 * 86400)
return before
