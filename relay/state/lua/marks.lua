-- Marks, as relay/state/marks.py has them: a hash of holder to count and end, and 'at', the moment
-- of the last one taken. Times are microseconds.
local LONG_S = 7 * 86400

local function marks_at(key, now)
  local marks = { key = key, counted = 0, at = 0, held = {} }
  local fields = redis.call('HGETALL', key)
  for number = 1, #fields, 2 do
    local holder, value = fields[number], fields[number + 1]
    if holder == 'at' then
      marks.at = tonumber(value)
    else
      local count, ends = value:match('^(%d+) (%d+)$')
      if count and tonumber(ends) > now then
        marks.held[holder] = { tonumber(count), tonumber(ends) }
        marks.counted = marks.counted + tonumber(count)
      else
        redis.call('HDEL', key, holder)
      end
    end
  end
  return marks
end

local function mark(marks, holder, count, ends)
  if count > 0 then
    redis.call('HSET', marks.key, holder, string.format('%.0f %.0f', count, ends))
  else
    redis.call('HDEL', marks.key, holder)
  end
  redis.call('EXPIRE', marks.key, LONG_S)
end

local function add_mark(marks, holder, amount, now, ends)
  local held = marks.held[holder] or { 0 }
  redis.call('HSET', marks.key, 'at', string.format('%.0f', now))
  mark(marks, holder, held[1] + amount, ends)
end

local function take_off(marks, holder, amount)
  local held = marks.held[holder]
  if held then
    mark(marks, holder, held[1] - amount, held[2])
  end
end
