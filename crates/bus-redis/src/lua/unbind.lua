-- Removes a generation from routes of a consumer. A route that no generation wants goes.
-- KEYS: the routes of each type. ARGV: the generation; the route of each.

local generation = ' ' .. ARGV[1] .. ' '
for at, routes in ipairs(KEYS) do
    local bound = redis.pcall('HGET', routes, ARGV[at + 1])
    if type(bound) == 'table' then
        return redis.error_reply(bound.err .. ' (' .. routes .. ')')
    end
    local from, to = string.find(bound or '', generation, 1, true)
    if from then
        local rest = string.sub(bound, 1, from) .. string.sub(bound, to + 1)
        -- First, for it is allowed when memory is full, and then so is the rest of the script.
        redis.call('HDEL', routes, ARGV[at + 1])
        if rest ~= ' ' then
            redis.call('HSET', routes, ARGV[at + 1], rest)
        end
    end
end
