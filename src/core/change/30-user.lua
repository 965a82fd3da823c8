--[[
Changes of a user by an administrator, a directory or an event.

    suspend | resume | revoke
              <user id> <expected version, or empty> <actor> <source> <reason>
    delete    ... <digest of user_name or empty> <of external_id or empty>

A digest is that of the text of a user_name or external_id, base64url, as the
keys {<prefix>}:name:<digest> and {<prefix>}:external:<digest> have it.

        word, version, detail
]]


-- The record as a change needs it. "broken" tells that it cannot be trusted:
-- then it may be shut off and nothing else.
local function open(id)
    local key = BASE .. 'user:' .. id
    local found = key_type(key)

    if found == 'none' then
        return nil, 'not_found', ''
    end

    if found ~= 'hash' then
        return nil, 'unreadable', 'user'
    end

    if not log_fits() then
        return nil, 'unreadable', 'log'
    end

    local f = redis.call('HMGET', key, 'state', 'suspended_by', 'roles',
                         'epoch', 'version', 'scim_roles', 'groups')

    return {
        id = id,
        key = key,
        state = f[1],
        by = f[2] or '',
        roles = f[3] or '',
        epoch = number(f[4]) or 0,
        version = number(f[5]) or 0,
        scim_roles = f[6] or '',
        groups = f[7] or '',
        broken = not (f[1] == 'active' or f[1] == 'suspended'
                      or f[1] == 'deleted')
                 or (f[4] and not number(f[4]))
                 or (f[5] and not number(f[5]))
    }
end


-- Writes fields of a user, and the log entry; the reply of a change.
local function done(user, op, ...)
    local version = user.version + 1

    redis.call('HSET', user.key, 'version', decimal(version),
               'modified', decimal(now()), ...)

    log(op, user.id, user.handle or '', decimal(version), ARGV[4], ARGV[5],
        ARGV[6])

    return { 'done', version, '' }
end


local function reply(user, word, detail)
    return { word, user.version, detail or '' }
end


-- A Redis that is out of memory refuses what grows, but lets a script go on
-- that has removed something: shutting somebody off must not wait for memory.
local function make_way(user)
    redis.call('HDEL', user.key, '')
end


-- The sources in a suspended_by text other than this one; was it there?
local function others(by, source)
    local rest, had = {}, false

    for word in string.gmatch(string.sub(by, 1, FIELD_MAX), '[^ ]+') do
        if word == source then
            had = true

        else
            rest[#rest + 1] = word
        end
    end

    return rest, had
end


local function suspend(user)
    local source = ARGV[5]
    local by, had = {}, false

    if user.state == 'deleted' then
        return reply(user, 'refused', 'deleted')
    end

    if user.state == 'suspended' then
        by, had = others(user.by, source)
    end

    if had and not user.broken then
        return reply(user, 'unchanged')
    end

    by[#by + 1] = source
    make_way(user)

    return done(user, 'suspend', 'state', 'suspended',
                'suspended_by', table.concat(by, ' '))
end


-- The command takes back every suspension, others only their own.
local function resume(user)
    local source = ARGV[5]

    if user.state == 'deleted' then
        return reply(user, 'refused', 'deleted')
    end

    if user.state == 'active' then
        return reply(user, 'unchanged')
    end

    local by, had = others(user.by, source)

    if source == 'cli' then
        by = {}

    elseif not had then
        return reply(user, 'unchanged')
    end

    if #by > 0 then
        return done(user, 'update', 'suspended_by', table.concat(by, ' '))
    end

    return done(user, 'resume', 'state', 'active', 'suspended_by', '')
end


local function revoke(user)
    make_way(user)

    return done(user, 'revoke', 'epoch',
                decimal(math.max(user.epoch, now())))
end


-- The Redis keys that go with a key or certificate of the user.
local function credential(user, handle, keys)
    local key = BASE .. 'handle:' .. handle

    if key_type(key) ~= 'hash'
       or redis.call('HGET', key, 'user') ~= user.id
    then
        return
    end

    keys[#keys + 1] = key

    local id = redis.call('HGET', key, 'id')

    if id and string.find(handle, '^key:') and string.find(id, '^[a-z0-9]+$')
    then
        keys[#keys + 1] = BASE .. 'keyid:' .. id
        keys[#keys + 1] = BASE .. 'used:' .. id
    end
end


-- The keys and certificates of a user: their handles, their Redis keys;
-- nil when there are too many. Where no set is, there are none to be found.
local function credentials(user, set)
    local handles, keys = {}, {}

    if key_type(set) ~= 'set' then
        return handles, keys
    end

    if redis.call('SCARD', set) > HANDLES_MAX then
        return nil
    end

    for _, handle in ipairs(redis.call('SMEMBERS', set)) do
        if handle_ok(handle) and string.sub(handle, 1, 4) ~= 'sub:' then
            handles[#handles + 1] = handle
            credential(user, handle, keys)
        end
    end

    return handles, keys
end


-- An index entry of the user (user_name, external_id), if it is the user's.
local function index_of(user, kind, digest)
    local key = BASE .. kind .. ':' .. digest

    if digest ~= '' and key_type(key) == 'string'
       and redis.call('GET', key) == user.id
    then
        return key
    end

    return nil
end


-- Out of the members of the groups; what these give ends with the roles.
local function leave_groups(user)
    for id in string.gmatch(string.sub(user.groups, 1, GROUPS_LENGTH),
                            '[^ ]+')
    do
        local group, members = BASE .. 'group:' .. id, BASE .. 'members:' .. id

        if group_id_ok(id) and key_type(group) == 'hash'
           and key_type(members) == 'zset'
           and redis.call('ZREM', members, user.id) == 1
           and number(redis.call('HGET', group, 'version'))
        then
            redis.call('HINCRBY', group, 'version', 1)
        end
    end
end


-- The deleted have their time of creation below zero in the index, so that
-- the living are one range of it: counted and paged through without a search.
local function bury(user)
    local time = key_type(USERS) == 'zset'
                 and tonumber(redis.call('ZSCORE', USERS, user.id) or '')

    if time and time >= 0 then
        redis.call('ZADD', USERS, -time - 1, user.id)
    end
end


local function delete(user)
    local set = BASE .. 'handles:' .. user.id

    if user.state == 'deleted' then
        return reply(user, 'unchanged')
    end

    local handles, keys = credentials(user, set)

    if not handles then
        return reply(user, 'refused', 'handles')
    end

    keys[#keys + 1] = index_of(user, 'name', ARGV[7])
    keys[#keys + 1] = index_of(user, 'external', ARGV[8])

    leave_groups(user)
    redis.call('HDEL', user.key, 'scopes', 'suspended_by', 'scim_roles',
               'groups')
    bury(user)

    for i = 1, #handles do
        redis.call('SREM', set, handles[i])
    end

    for i = 1, #keys do
        redis.call('DEL', keys[i])
    end

    return done(user, 'delete', 'state', 'deleted', 'roles', '')
end


-- Calls a change of a user. "always" may be done to a broken record too.
local function change(always, action)
    local id, expected = ARGV[2], ARGV[3]

    if not user_id_ok(id) then
        return { 'not_found', 0, '' }
    end

    local user, word, detail = open(id)

    if not user then
        return { word, 0, detail }
    end

    if user.broken and not always then
        return reply(user, 'unreadable', 'user')
    end

    if expected ~= '' and expected ~= decimal(user.version) then
        return reply(user, 'conflict')
    end

    return action(user)
end


OPS.suspend = { 6, function() return change(true, suspend) end }
OPS.resume = { 6, function() return change(false, resume) end }
OPS.revoke = { 6, function() return change(true, revoke) end }
OPS.delete = { 8, function() return change(true, delete) end }
