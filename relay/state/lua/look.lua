-- KEYS: the clock, and the records. Returns the store's time in microseconds, and a list of the
-- records, with nothing for what is not there.
local records = {}
if #KEYS > 1 then
  records = redis.call('MGET', unpack(KEYS, 2))
end
return { now_us(KEYS[1]), records }
