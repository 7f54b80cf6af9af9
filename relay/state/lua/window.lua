-- A window, as relay/state/window.py has it: the same record, the same sums. Lua counts from 1, so
-- the cell of second `s` is cells[s % CELLS + 1].
local CELLS = 61
local MOST = 2 ^ 53
local LONGEST_S = 7 * 86400
local RECORD = '<i8i8i8i8d' .. string.rep('i8', CELLS)
local SIZE = 8 * (5 + CELLS)

local function move_to(window, second)
  for step = 1, math.min(second - window.second, CELLS) do
    local cell = (window.second + step) % CELLS + 1
    window.counted = window.counted - window.cells[cell]
    window.cells[cell] = 0
  end
  window.second = math.max(window.second, second)
end

local function window_at(key, second)
  local window = { key = key, second = second, counted = 0, cells = {} }
  window.left, window.since, window.ends = 0, 0, 0
  local record = redis.call('GET', key)
  if record and #record == SIZE then
    local fields = { struct.unpack(RECORD, record) }
    window.second, window.counted, window.left, window.since, window.ends = unpack(fields, 1, 5)
    for cell = 1, CELLS do
      window.cells[cell] = fields[cell + 5]
    end
    move_to(window, second)
  else
    for cell = 1, CELLS do
      window.cells[cell] = 0
    end
  end
  return window
end

local function keep(window, now)
  local record = struct.pack(RECORD, window.second, window.counted, window.left, window.since,
    window.ends, unpack(window.cells, 1, CELLS))
  local lasts = math.max(CELLS * 1000, math.ceil((window.ends - now) * 1000))
  redis.call('SET', window.key, record, 'PX', string.format('%.0f', lasts))
end

local function count(window, amount, second)
  if window.second - CELLS < second and second <= window.second then
    local cell = second % CELLS + 1
    local after = math.max(window.cells[cell] + amount, 0)
    window.counted = window.counted + after - window.cells[cell]
    window.cells[cell] = after
  end
end

local function add(window, amount)
  if window.ends > window.second then
    window.left = window.left - amount
  end
  count(window, amount, window.second)
end

local function settle(window, change, second)
  if second > window.since and window.ends > window.second then
    window.left = window.left - change
  end
  count(window, change, second)
end

local function window_share(window, limit, now)
  if limit <= 0 then
    return 1
  end
  local room = limit - window.counted
  if window.ends > now then
    room = math.min(room, math.max(window.left, 0))
  end
  return room / limit
end

local function unbounded_wait_s(window, amount, limit)
  local left = window.counted
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

-- Seconds until `amount` has room, 0 when it has.
local function window_wait_s(window, amount, limit, now)
  local wait = unbounded_wait_s(window, amount, limit)
  local is_left = amount <= math.max(window.left, 0)
    or (0 < limit and limit < amount and window.left > 0)
  if window.ends > now and not is_left then
    return math.max(wait, window.ends - now)
  end
  return wait
end
