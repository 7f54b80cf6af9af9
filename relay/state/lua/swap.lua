-- KEYS: the record. ARGV: '1' and what it must be, or '0' for none; the same for what it becomes.
-- Returns what it is now, nothing when there is none.
local old = ARGV[1] == '1' and ARGV[2]
local new = ARGV[3] == '1' and ARGV[4]
local found = redis.call('GET', KEYS[1])
if found ~= old then
  return found
end
if new then
  redis.call('SET', KEYS[1], new, 'EX', 7 * 86400)
else
  redis.call('DEL', KEYS[1])
end
return new
