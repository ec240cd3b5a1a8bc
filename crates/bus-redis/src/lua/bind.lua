-- Adds a generation to routes of a consumer.
-- KEYS: the routes of each type. ARGV: the generation; the route of each.
-- A route is a field of a type's routes, and its value the generations that want it: ` 1 2 `.

local generation = ' ' .. ARGV[1] .. ' '
for at, routes in ipairs(KEYS) do
    local bound = redis.pcall('HGET', routes, ARGV[at + 1])
    if type(bound) == 'table' then
        return redis.error_reply(bound.err .. ' (' .. routes .. ')')
    end
    if not bound then
        redis.call('HSET', routes, ARGV[at + 1], generation)
    elseif not string.find(bound, generation, 1, true) then
        redis.call('HSET', routes, ARGV[at + 1], bound .. ARGV[1] .. ' ')
    end
end
