-- KEYS: the clock, the places (a sorted set: tokens by their end), the last token.
-- ARGV: how many places there are, and microseconds until one is free again.
-- Returns the token, nothing when all are taken.
local now = now_us(KEYS[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then
  return false
end
-- Not 1, 2, 3: a Redis that has lost its keys must not give out again what somebody still holds.
local last = tonumber(redis.call('GET', KEYS[3]) or 0) or 0
local token = string.format('%.0f', math.max(last + 1, now))
redis.call('SET', KEYS[3], token, 'EX', 7 * 86400)
redis.call('ZADD', KEYS[2], now + ARGV[2], token)
local latest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIRE', KEYS[2], math.ceil((latest - now) / 1000))
return token
