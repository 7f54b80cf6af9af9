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
  local claims, longest = {}, 0
  local share, lasting, first = 1, 0, 0
  for claim = 1, tonumber(ARGV[arg]) do
    local place = arg + 3 * claim - 2
    local amount, limit = tonumber(ARGV[place]), tonumber(ARGV[place + 1])
    local each = { amount = amount, lasts = ARGV[place + 2] == '1' }
    local wait = 0
    if each.lasts then
      each.count = marks_at(KEYS[key], now)
      lasting = lasting + each.count.counted
      if limit > 0 and each.count.counted + amount > limit then
        wait = 1
      end
    else
      each.count = window_at(KEYS[key], second)
      share = math.min(share, window_share(each.count, limit, now_s))
      wait = window_wait_s(each.count, amount, limit, now_s)
    end
    if claim == 1 then
      first = each.count.counted
    end
    longest = math.max(longest, wait)
    claims[claim] = each
    key = key + 1
  end
  if longest > 0 then
    shortest = math.min(shortest or longest, longest)
  else
    local rank = { -share, lasting, first }
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
