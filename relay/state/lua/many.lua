-- The values of KEYS from `first` on, nothing for what is not there. All at once would not fit on
-- Lua's stack, which has some 8000 places.
local AT_ONCE = 1000

local function values_from(first)
  local found = {}
  for start = first, #KEYS, AT_ONCE do
    local last = math.min(start + AT_ONCE - 1, #KEYS)
    local values = redis.call('MGET', unpack(KEYS, start, last))
    for number = 1, last - start + 1 do
      found[start - first + number] = values[number]
    end
  end
  return found
end
