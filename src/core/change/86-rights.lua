--[[
May this user of Redis do what is needed? Writes nothing that can be seen.

    rights
        for each command that is refused: its name and why, as one text

What Redis knows of rights it says (since 7); an older one is asked by
commands that change nothing. In both a write that changes nothing shows
whether it takes any: a replica, a full disk or lost replicas refuse it.
]]

local FREE = ('x'):rep(43)

-- What this script says, and who reads the log, with keys as they are.
local NEEDED = {
    { 'TIME' },
    { 'TYPE', META },
    { 'HGET', BASE .. 'user:' .. FREE, 'x' },
    { 'HMGET', BASE .. 'user:' .. FREE, 'x' },
    { 'HSTRLEN', BASE .. 'user:' .. FREE, 'x' },
    { 'HSET', BASE .. 'user:' .. FREE, 'x', 'x' },
    { 'HSET', BASE .. 'handle:sub:' .. FREE, 'x', 'x' },
    { 'HSET', META, 'x', 'x' },
    { 'HDEL', BASE .. 'user:' .. FREE, 'x' },
    { 'HINCRBY', BASE .. 'group:' .. FREE, 'x', '1' },
    { 'DEL', BASE .. 'handle:sub:' .. FREE },
    { 'SADD', BASE .. 'handles:' .. FREE, 'x' },
    { 'SREM', BASE .. 'handles:' .. FREE, 'x' },
    { 'SMEMBERS', BASE .. 'handles:' .. FREE },
    { 'SCARD', BASE .. 'handles:' .. FREE },
    { 'SISMEMBER', BASE .. 'handles:' .. FREE, 'x' },
    { 'ZADD', USERS, '1', 'x' },
    { 'ZADD', BASE .. 'members:' .. FREE, '1', 'x' },
    { 'ZREM', BASE .. 'members:' .. FREE, 'x' },
    { 'ZSCORE', USERS, 'x' },
    { 'ZCARD', USERS },
    { 'ZCOUNT', USERS, '0', '0' },
    { 'ZRANGE', USERS, '0', '0' },
    { 'ZRANGEBYSCORE', BASE .. 'members:' .. FREE, '0', '0' },
    { 'GET', BASE .. 'name:' .. FREE },
    { 'SET', BASE .. 'external:' .. FREE, 'x' },
    { 'SET', BASE .. 'jti:' .. FREE, 'x', 'EX', '1' },
    { 'TTL', BASE .. 'jti:' .. FREE },
    { 'XADD', LOG, '*', 'x', 'x' },
    { 'XINFO', 'STREAM', LOG },
    { 'XREAD', 'STREAMS', LOG, '0-0' },
    { 'XRANGE', LOG, '-', '+' },
    { 'XREVRANGE', LOG, '+', '-' }
}

-- These change nothing: there is nothing of that name.
local HARMLESS = {
    { 'HDEL', META, '' },
    { 'ZREM', USERS, '' }
}


local function refusal(answer)
    local text = type(answer) == 'table' and answer['err'] or tostring(answer)

    return string.match(text, '^%-?(%u+) ') or string.match(text, '%-(%u+) ')
           or 'refused'
end


local function rights()
    local refused, seen = {}, {}

    local function note(command, why)
        local text = command[1] .. ' (' .. why .. ')'

        if not seen[text] then
            seen[text] = true
            refused[#refused + 1] = text
        end
    end

    for _, command in ipairs(NEEDED) do
        if redis.acl_check_cmd
           and not redis.acl_check_cmd(unpack(command))
        then
            note(command, 'NOPERM')
        end
    end

    for _, command in ipairs(HARMLESS) do
        local answer = redis.pcall(unpack(command))

        -- a key of another type is no question of rights

        if type(answer) == 'table' and answer['err']
           and refusal(answer) ~= 'WRONGTYPE'
        then
            note(command, refusal(answer))
        end
    end

    return refused
end


OPS.rights = { 1, rights }
