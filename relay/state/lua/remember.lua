-- KEYS: the facts. ARGV: milliseconds they are kept, and the value of each.
for number = 1, #KEYS do
  if tonumber(ARGV[1]) > 0 then
    redis.call('SET', KEYS[number], ARGV[number + 1], 'PX', ARGV[1])
  else
    redis.call('DEL', KEYS[number])
  end
end
