-- Ends a lease that its subscription still has.
-- KEYS: the key of the holder. ARGV: the token.

if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
