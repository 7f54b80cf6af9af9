-- KEYS: the facts. Returns the value of each, nothing for what is not there.
return values_from(1)
