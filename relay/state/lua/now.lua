-- KEYS: the clock. Returns the store's time in microseconds.
return now_us(KEYS[1])
