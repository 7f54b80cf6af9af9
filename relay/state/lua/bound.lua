-- KEYS: the clock, and the windows. ARGV: for each what is left, and until when.
-- One that is over is none. One that ends no later than the one that holds does not widen it.
local now = now_us(KEYS[1])
for number = 2, #KEYS do
  local ends = tonumber(ARGV[2 * number - 2])
  if ends > now / 1000000 then
    local window = window_at(KEYS[number], second_of(now))
    local left = math.min(math.max(tonumber(ARGV[2 * number - 3]), 0), MOST)
    ends = math.min(ends, window.second + LONGEST_S)
    local holds = window.ends > window.second and window.ends >= ends
    if not (holds and left > math.max(window.left, 0)) then
      window.left, window.since, window.ends = left, window.second, ends
      keep(window, now / 1000000)
    end
  end
end
