-- KEYS: the places. ARGV: the token. What has run out is removed by the next `hold`.
redis.call('ZREM', KEYS[1], ARGV[1])
