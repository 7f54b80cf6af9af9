-- KEYS: the facts. Returns the value of each, nothing for what is not there.
return redis.call('MGET', unpack(KEYS))
