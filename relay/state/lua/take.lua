-- KEYS: the clock, and the windows of all claims, one choice after the other.
-- ARGV: for each choice the number of its claims, then of each claim its amount and its limit.
-- Returns the number of the choice and the second it counts in; or -1 and the seconds to wait.
local second = second_of(now_us(KEYS[1]))
local shortest = 60
local found_choice = false
local key, arg, choice = 2, 1, 0
while ARGV[arg] do
  local windows, amounts, longest = {}, {}, 0
  local claims = tonumber(ARGV[arg])
  for claim = 1, claims do
    local amount = tonumber(ARGV[arg + 2 * claim - 1])
    local window = window_at(KEYS[key], second)
    longest = math.max(longest, wait_s(window, amount, tonumber(ARGV[arg + 2 * claim])))
    windows[claim], amounts[claim] = window, amount
    key = key + 1
  end
  if longest == 0 then
    for claim = 1, claims do
      add(windows[claim], amounts[claim], windows[claim].second)
      keep(windows[claim])
    end
    return { choice, second }
  end
  shortest = found_choice and math.min(shortest, longest) or longest
  found_choice = true
  arg = arg + 2 * claims + 1
  choice = choice + 1
end
return { -1, shortest }
