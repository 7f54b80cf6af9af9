-- KEYS: the clock, the places. Returns how many have not run out.
return redis.call('ZCOUNT', KEYS[2], string.format('(%.0f', now_us(KEYS[1])), '+inf')
