-- KEYS: the clock, and the counts of all claims, one choice after the other.
-- ARGV: whether the choice with most room is taken, who takes it, and microseconds that lasting
-- claims stay; then for each choice the number of its claims, and of each claim its amount, its
-- limit, and whether it lasts.
-- Returns the number of the choice and the second it counts in; or -1 and seconds to wait.
local now = now_us(KEYS[1])
local second, now_s = second_of(now), now / 1000000
local by_room, holder = ARGV[1] == '1', ARGV[2]
local shortest, found
local key, arg, choice = 2, 4, 0

local function is_before(one, other)
  for place = 1, #one do
    if one[place] ~= other[place] then
      return one[place] < other[place]
    end
  end
  return false
end

while ARGV[arg] and not (found and not by_room) do
  local claims, longest, rank = weigh(key, arg, now)
  key = key + #claims
  if longest > 0 then
    shortest = math.min(shortest or longest, longest)
  else
    if not found or is_before(rank, found.rank) then
      found = { rank = rank, choice = choice, claims = claims }
    end
  end
  arg = arg + 3 * #claims + 1
  choice = choice + 1
end

if not found then
  return { -1, string.format('%.17g', shortest or 60) }
end
for _, each in ipairs(found.claims) do
  if each.lasts then
    add_mark(each.count, holder, each.amount, now, now + ARGV[3])
  else
    add(each.count, each.amount)
    keep(each.count, now_s)
  end
end
return { found.choice, second }
