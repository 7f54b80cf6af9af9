-- KEYS: the clock, the counts to change, and records to look at.
-- ARGV: the second in which it was taken, by whom, and how many counts there are; for each count
-- its change, and whether it lasts.
-- Returns the records, with nothing for what is not there.
local now = now_us(KEYS[1])
local second = second_of(now)
local taken, counts = tonumber(ARGV[1]), tonumber(ARGV[3])
for number = 1, counts do
  local key = KEYS[1 + number]
  local change, lasts = tonumber(ARGV[2 + 2 * number]), ARGV[3 + 2 * number] == '1'
  if lasts then
    take_off(marks_at(key, now), ARGV[2], -change)
  elseif second - taken < CELLS then
    local window = window_at(key, second)
    settle(window, change, taken)
    keep(window, now / 1000000)
  end
end
return values_from(2 + counts)
