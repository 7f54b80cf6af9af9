-- The store's clock in microseconds. It never steps back: when Redis' TIME does (a machine whose
-- clock was set, another machine after a failover), it goes on from where it was, ahead by that
-- much. It does not stand still until TIME has caught up, for then no window would ever empty.
local function now_us(key)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local record = redis.call('GET', key)
  local last, ahead = 0, 0
  if record and #record == 16 then
    last, ahead = struct.unpack('<i8i8', record)
  end
  now = now + ahead
  if now < last then
    ahead = ahead + last - now
    now = last
  end
  redis.call('SET', key, struct.pack('<i8i8', now, ahead), 'EX', 7 * 86400)
  return now
end

local function second_of(us)
  return math.floor(us / 1000000)
end
