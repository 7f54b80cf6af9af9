-- KEYS: the clock, and the records. Returns the store's time in microseconds, and a list of the
-- records, with nothing for what is not there.
return { now_us(KEYS[1]), values_from(2) }
