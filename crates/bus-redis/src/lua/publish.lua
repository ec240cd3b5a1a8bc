-- Appends an entry to every stream that receives its type, or to none.
-- KEYS: the routes of the type; the streams that the publisher knows to receive it always.
-- ARGV: the bound of a stream; the prefix of streams; the shard in the immediate lane and in the background lane;
-- then the fields and values of the entry.
-- Answers with the number of streams.

local bound, prefix, immediate, background = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local streams, known = {}, {}

local function add(stream)
    if not known[stream] then
        known[stream] = true
        streams[#streams + 1] = stream
    end
end

-- An error names its key.
local function failed(reply, key)
    return redis.error_reply(reply.err .. ' (' .. key .. ')')
end

for at = 2, #KEYS do
    add(KEYS[at])
end
local routes = redis.pcall('HKEYS', KEYS[1])
if routes.err then
    return failed(routes, KEYS[1])
end
for _, route in ipairs(routes) do
    local lane = string.match(route, '%.(%a+)$')
    add(prefix .. route .. '.' .. (lane == 'immediate' and immediate or background))
end

-- Everything is looked at before anything is written, for a script that fails takes nothing back.
for _, stream in ipairs(streams) do
    local length = redis.pcall('XLEN', stream)
    if type(length) == 'table' then
        return failed(length, stream)
    end
    if length >= bound then
        return redis.error_reply('FULL ' .. stream .. ' has ' .. length .. ' entries, and may not have more')
    end
end
for _, stream in ipairs(streams) do
    local added = redis.pcall('XADD', stream, '*', unpack(ARGV, 5))
    if type(added) == 'table' and added.err then
        return failed(added, stream)
    end
end
return #streams
