-- KEYS: the clock, and the windows to change.
-- ARGV: the second in which it was taken, and the change of each window.
local second = second_of(now_us(KEYS[1]))
local taken = tonumber(ARGV[1])
if second - taken >= CELLS then
  return
end
for number = 2, #KEYS do
  local window = window_at(KEYS[number], second)
  add(window, tonumber(ARGV[number]), taken)
  keep(window)
end
