--[[
Do the records fit together? Reads and never writes; each call sees one moment.

    check <suffixes of keys, parted by spaces>
        for each that is at fault: its suffix, a word

A word: type (of another type), index (a user who is not in it), user (that is
not there, or deleted), set (of its user's handles lacks it), handle (that is
not there), group (that is not there, or a member who does not know of it).
]]


local function user_state(id)
    local key = BASE .. 'user:' .. (id or '')

    return user_id_ok(id) and key_type(key) == 'hash'
           and redis.call('HGET', key, 'state')
end


local CHECKS = {}


function CHECKS.user(id)
    if not user_state(id) then
        return 'type'
    end

    if not fits(USERS, 'zset') or not redis.call('ZSCORE', USERS, id) then
        return 'index'
    end

    return nil
end


function CHECKS.handle(handle)
    local key = BASE .. 'handle:' .. handle

    if key_type(key) ~= 'hash' then
        return 'type'
    end

    local id = redis.call('HGET', key, 'user')

    if not user_state(id) then
        return 'user'
    end

    local set = BASE .. 'handles:' .. id

    if key_type(set) ~= 'set' or redis.call('SISMEMBER', set, handle) == 0
    then
        return 'set'
    end

    return nil
end


function CHECKS.handles(id)
    local set = BASE .. 'handles:' .. id

    if key_type(set) ~= 'set' then
        return 'type'
    end

    if not user_state(id) then
        return 'user'
    end

    if redis.call('SCARD', set) > HANDLES_MAX then
        return nil
    end

    for _, handle in ipairs(redis.call('SMEMBERS', set)) do
        local key = BASE .. 'handle:' .. handle

        if key_type(key) ~= 'hash' or redis.call('HGET', key, 'user') ~= id
        then
            return 'handle'
        end
    end

    return nil
end


local function check_index(key)
    if key_type(key) ~= 'string' then
        return 'type'
    end

    local id = redis.call('GET', key)
    local state = user_state(id)

    if id ~= '*' and (not state or state == 'deleted') then
        return 'user'
    end

    return nil
end


function CHECKS.name(digest)
    return check_index(BASE .. 'name:' .. digest)
end


function CHECKS.external(digest)
    return check_index(BASE .. 'external:' .. digest)
end


function CHECKS.keyid(id)
    local key = BASE .. 'keyid:' .. id

    if key_type(key) ~= 'string' then
        return 'type'
    end

    if key_type(BASE .. 'handle:key:' .. redis.call('GET', key)) ~= 'hash' then
        return 'handle'
    end

    return nil
end


function CHECKS.group(id)
    local key = BASE .. 'group:' .. id

    if key_type(key) ~= 'hash' or not redis.call('HGET', key, 'display_name')
       or not number(redis.call('HGET', key, 'version'))
    then
        return 'type'
    end

    return nil
end


function CHECKS.members(id)
    local members = BASE .. 'members:' .. id

    if key_type(members) ~= 'zset' then
        return 'type'
    end

    if key_type(BASE .. 'group:' .. id) ~= 'hash' then
        return 'group'
    end

    for _, user in ipairs(redis.call('ZRANGE', members, 0, HANDLES_MAX)) do
        local state = user_state(user)

        if not state or state == 'deleted' then
            return 'user'
        end

        local groups = redis.call('HGET', BASE .. 'user:' .. user, 'groups')

        if not groups or not string.find(' ' .. groups .. ' ',
                                         ' ' .. id .. ' ', 1, true)
        then
            return 'group'
        end
    end

    return nil
end


local function check_string(kind)
    return function(rest)
        return key_type(BASE .. kind .. ':' .. rest) ~= 'string' and 'type'
               or nil
    end
end


CHECKS.jti = check_string('jti')
CHECKS.used = check_string('used')
CHECKS.quota = check_string('quota')


local function check()
    local faults = {}

    for suffix in string.gmatch(ARGV[2], '[^ ]+') do
        local kind, rest = string.match(suffix, '^(%l+):(.+)$')
        local key = BASE .. suffix

        -- what is gone since the caller saw it is at no fault

        if kind and CHECKS[kind] and key_type(key) ~= 'none' then
            local fault = CHECKS[kind](rest)

            if fault then
                faults[#faults + 1] = suffix
                faults[#faults + 1] = fault
            end
        end
    end

    return faults
end


OPS.check = { 2, check }
