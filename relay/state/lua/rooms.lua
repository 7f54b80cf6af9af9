-- KEYS, ARGV: as take's, without who takes it and how.
-- Returns of each choice the seconds until there is room, and its rank: as text, for fractions.
local now = now_us(KEYS[1])
local found = {}
local key, arg = 2, 1
while ARGV[arg] do
  local claims, longest, rank = weigh(key, arg, now)
  table.insert(found, string.format('%.17g %.17g %.0f %.0f', longest, unpack(rank)))
  key, arg = key + #claims, arg + 3 * #claims + 1
end
return found
