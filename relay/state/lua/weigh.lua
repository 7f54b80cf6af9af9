-- What a choice of claims meets: its counts, the seconds until there is room for all, and its rank;
-- the one with the smallest rank has most room. `key` and `arg` are where it begins: the number of
-- its claims, then of each its amount, its limit, and whether it lasts.
local function weigh(key, arg, now)
  local claims, longest = {}, 0
  local share, lasting, first = 1, 0, 0
  local second, now_s = second_of(now), now / 1000000
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
  return claims, longest, { -share, lasting, first }
end
