-- KEYS: the clock, and lasting claims. Returns of each its count and when the last one was taken.
local now = now_us(KEYS[1])
local found = {}
for number = 2, #KEYS do
  local marks = marks_at(KEYS[number], now)
  table.insert(found, marks.counted)
  table.insert(found, marks.at)
end
return found
