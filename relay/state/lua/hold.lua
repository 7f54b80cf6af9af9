-- KEYS: the clock, the places (a sorted set: tokens by their end), the last token.
-- ARGV: how many places there are, and microseconds until one is free again.
-- Returns the token, nothing when all are taken.
local now = now_us(KEYS[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then
  return false
end
redis.call('INCR', KEYS[3])
redis.call('EXPIRE', KEYS[3], 7 * 86400)
local token = redis.call('GET', KEYS[3])
redis.call('ZADD', KEYS[2], now + ARGV[2], token)
local latest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIRE', KEYS[2], math.ceil((latest - now) / 1000))
return token
