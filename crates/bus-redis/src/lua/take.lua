-- Takes entries of a stream for the subscription that holds it, or that may hold it from now on.
-- KEYS: the stream; the key of its holder.
-- ARGV: the token of the subscription; milliseconds of its lease; the group; the id after which entries that were
-- delivered before are wanted, or `>` for those that never were; the number of entries.
-- Answers with nil if another subscription holds the stream. Otherwise with five values: 1 if it did not hold it
-- before; 1 if the entries were delivered before; the entries; how often each was delivered, in that case; and the id
-- of the last entry that was ever delivered.

local stream, holder, token, lease, group = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local after, count = ARGV[4], ARGV[5]

local holds = redis.call('GET', holder)
if holds and holds ~= token then
    return false
end
if holds then
    redis.call('PEXPIRE', holder, lease)
else
    -- When memory is full, only a script that has written already may write what takes memory. Whoever receives makes
    -- room, so it must not be refused.
    redis.call('DEL', holder)
    redis.call('SET', holder, token, 'PX', lease)
    -- Another may have held it meanwhile.
    after = '0'
end

-- All who hold the stream are one consumer of the group, so its pending entries are those that the next must have.
local function read()
    return redis.pcall('XREADGROUP', 'GROUP', group, group, 'COUNT', count, 'STREAMS', stream, after)
end

local function has_no_group(found)
    return found and found.err and string.find(found.err, 'NOGROUP', 1, true)
end

local found = read()
if has_no_group(found) then
    -- Deleted or flushed. Whatever was published since is from the beginning of the stream.
    local made = redis.pcall('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    if made.err then
        return redis.error_reply(made.err .. ' (' .. stream .. ')')
    end
    found = read()
end
if after ~= '>' and found and not found.err and #found[1][2] == 0 then
    after = '>'
    found = read()
end
if found and found.err then
    return redis.error_reply(found.err .. ' (' .. stream .. ')')
end

local entries, deliveries = found and found[1][2] or {}, {}
if after ~= '>' then
    local first, last = entries[1][1], entries[#entries][1]
    for _, pending in ipairs(redis.call('XPENDING', stream, group, first, last, #entries, group)) do
        deliveries[#deliveries + 1] = pending[4]
    end
end

local last_id = '0-0'
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local of_group = {}
    for at = 1, #info, 2 do
        of_group[info[at]] = info[at + 1]
    end
    if of_group['name'] == group then
        last_id = of_group['last-delivered-id']
    end
end
return { holds and 0 or 1, after ~= '>' and 1 or 0, entries, deliveries, last_id }
