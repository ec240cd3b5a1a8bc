-- Removes entries that are settled from the pending ones of their group and from their stream.
-- KEYS: the stream. ARGV: the group; the ids.

local ids = { unpack(ARGV, 2) }
local acknowledged = redis.pcall('XACK', KEYS[1], ARGV[1], unpack(ids))
if type(acknowledged) == 'table' and acknowledged.err then
    return redis.error_reply(acknowledged.err .. ' (' .. KEYS[1] .. ')')
end
redis.call('XDEL', KEYS[1], unpack(ids))
