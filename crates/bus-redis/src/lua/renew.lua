-- Renews leases that their subscriptions still have.
-- KEYS: the keys of the holders. ARGV: milliseconds of a lease; the token of each.

for at, holder in ipairs(KEYS) do
    if redis.call('GET', holder) == ARGV[at + 1] then
        redis.call('PEXPIRE', holder, ARGV[1])
    end
end
