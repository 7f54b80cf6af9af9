-- A window, as relay/state/window.py has it: the same record, the same sums. Lua counts from 1, so
-- the cell of second `s` is cells[s % CELLS + 1].
local CELLS = 61
local RECORD = '<' .. string.rep('i8', CELLS + 1)

local function move_to(window, second)
  local passed = second - window.second
  if passed <= 0 then
    return
  end
  for step = 1, math.min(passed, CELLS) do
    window.cells[(window.second + step) % CELLS + 1] = 0
  end
  window.second = second
end

local function window_at(key, second)
  local window = { key = key, second = second, cells = {} }
  local record = redis.call('GET', key)
  if record and #record == 8 * (CELLS + 1) then
    local fields = { struct.unpack(RECORD, record) }
    window.second = fields[1]
    for cell = 1, CELLS do
      window.cells[cell] = fields[cell + 1]
    end
    move_to(window, second)
  else
    for cell = 1, CELLS do
      window.cells[cell] = 0
    end
  end
  return window
end

local function keep(window)
  local record = struct.pack(RECORD, window.second, unpack(window.cells, 1, CELLS))
  redis.call('SET', window.key, record, 'EX', CELLS)
end

local function add(window, amount, second)
  if window.second - CELLS < second and second <= window.second then
    local cell = second % CELLS + 1
    window.cells[cell] = math.max(window.cells[cell] + amount, 0)
  end
end

-- Seconds until `amount` has room, 0 when it has.
local function wait_s(window, amount, limit)
  local left = 0
  for cell = 1, CELLS do
    left = left + window.cells[cell]
  end
  if limit <= 0 then
    return 0
  end
  for age = CELLS, 1, -1 do -- the oldest second runs out first
    if left + amount <= limit or left == 0 then
      return CELLS - age
    end
    left = left - window.cells[(window.second + 1 - age) % CELLS + 1]
  end
  return CELLS
end
