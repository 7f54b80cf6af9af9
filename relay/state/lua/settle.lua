-- KEYS: the clock, and the counts to change.
-- ARGV: the second in which it was taken, and by whom; for each count its change, and whether it
-- lasts.
local now = now_us(KEYS[1])
local second = second_of(now)
local taken = tonumber(ARGV[1])
for number = 2, #KEYS do
  local change, lasts = tonumber(ARGV[2 * number - 1]), ARGV[2 * number] == '1'
  if lasts then
    take_off(marks_at(KEYS[number], now), ARGV[2], -change)
  elseif second - taken < CELLS then
    local window = window_at(KEYS[number], second)
    settle(window, change, taken)
    keep(window, now / 1000000)
  end
end
