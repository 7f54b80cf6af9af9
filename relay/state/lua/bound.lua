-- KEYS: the clock, and the windows. ARGV: for each what is left, and until when.
local now = now_us(KEYS[1])
for number = 2, #KEYS do
  local window = window_at(KEYS[number], second_of(now))
  window.left = math.min(math.max(tonumber(ARGV[2 * number - 3]), 0), MOST)
  window.since = window.second
  window.ends = math.min(tonumber(ARGV[2 * number - 2]), window.second + LONGEST_S)
  keep(window, now / 1000000)
end
