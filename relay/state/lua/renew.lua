-- KEYS: the clock, lasting claims, places.
-- ARGV: microseconds, the holder of the claims, how many names of claims there are, what each
-- amounts to, and the token of each place.
local now = now_us(KEYS[1])
local ends = now + ARGV[1]
local lasting = tonumber(ARGV[3])
for number = 1, lasting do
  mark(marks_at(KEYS[1 + number], now), ARGV[2], tonumber(ARGV[3 + number]), ends)
end
for number = 2 + lasting, #KEYS do
  local token = ARGV[number + 2]
  local score = redis.call('ZSCORE', KEYS[number], token)
  if score and tonumber(score) > now then
    redis.call('ZADD', KEYS[number], ends, token)
    local latest = redis.call('ZRANGE', KEYS[number], -1, -1, 'WITHSCORES')[2]
    redis.call('PEXPIRE', KEYS[number], math.ceil((latest - now) / 1000))
  end
end
