--[[
The credentials and identities that stand for a user.

    handle_add    <user id> <expected version, or empty> <actor> <source>
                  <reason> <handle> <public id> <label>
                  <seconds from now until it ends, 0: it does not>
                  <which of these are caps: of "rsn"> <roles> <scopes>
                  <networks>
    handle_rotate ... <handle> <new handle> <new public id>
                  <seconds from now until the old one ends>
    handle_link   ... <handle> <issuer> <subject>
    handle_revoke <user id, or empty> <empty> <actor> <source> <reason>
                  <handle>
        word, version of the user, detail

A key's public id leads to its digest. A handle of a deleted user, or a
certificate that was revoked, may be given to another user; any other may not.
]]

local HANDLE_TEXT_MAX = 1800    -- roles, scopes, networks, label together


-- The holder of a handle: nil when it is free, a user as open() reads it, or
-- false when that cannot be told.
local function holder(handle)
    local key = BASE .. 'handle:' .. handle
    local found = key_type(key)

    if found == 'none' then
        return nil
    end

    local id = found == 'hash' and redis.call('HGET', key, 'user')

    if not user_id_ok(id) then
        return false
    end

    local user, word = open(id)

    if word == 'not_found' then
        return nil
    end

    return user and not user.broken and user or false
end


-- May one more handle be written into the set? Else the word and detail.
local function room(user)
    local set = BASE .. 'handles:' .. user.id

    if not fits(set, 'set') then
        return 'unreadable', 'handles'
    end

    if redis.call('SCARD', set) >= HANDLES_MAX then
        return 'refused', 'handles'
    end

    return nil
end


-- Writes a handle that is free or was another's; fields are name, value, ...
local function put(user, handle, was, fields)
    local key = BASE .. 'handle:' .. handle

    if was then
        redis.call('SREM', BASE .. 'handles:' .. was.id, handle)
    end

    -- not where there is nothing: a full Redis would take what follows then

    if key_type(key) ~= 'none' then
        redis.call('DEL', key)
    end

    redis.call('HSET', key, 'user', user.id, 'state', 'active',
               'created', decimal(now()), unpack(fields))
    redis.call('SADD', BASE .. 'handles:' .. user.id, handle)
end


-- The next change of the same user, its entry naming a handle.
local function done_for(user, op, handle, ...)
    user.handle = handle

    local answer = done(user, op, ...)

    user.version = answer[2]
    user.handle = nil

    return answer
end


local function key_id_ok(id)
    return string.find(id, '^[a-z0-9]+$') and #id == 10
end


-- The key that leads from a public id to a digest, if it is free; else false.
local function free_id(id)
    local key = BASE .. 'keyid:' .. id

    return key_type(key) == 'none' and key
end


-- Adding.


local function caps(fields)
    for i, name in ipairs({ 'roles', 'scopes', 'networks' }) do
        if string.find(ARGV[11], string.sub(name, 1, 1)) then
            fields[#fields + 1] = name
            fields[#fields + 1] = ARGV[11 + i]
        end
    end
end


local function handle_add(user)
    local handle, id, label = ARGV[7], ARGV[8], ARGV[9]
    local ends_in = number(ARGV[10])
    local is_key = string.sub(handle, 1, 4) == 'key:'
    local fields = { 'id', id }

    if user.state == 'deleted' then
        return reply(user, 'refused', 'deleted')
    end

    local word, detail = room(user)

    if word then
        return reply(user, word, detail)
    end

    local was = holder(handle)

    if was == false then
        return reply(user, 'unreadable', 'handle')
    end

    if was then
        local state = redis.call('HGET', BASE .. 'handle:' .. handle, 'state')

        if state == 'active' and was.id == user.id then
            return reply(user, 'unchanged')
        end

        if is_key or state ~= 'revoked' then
            return reply(user, 'refused', 'taken')
        end
    end

    local keyid = is_key and free_id(id)

    if is_key and not keyid then
        return reply(user, 'refused', 'id')
    end

    if label ~= '' then
        fields[#fields + 1] = 'label'
        fields[#fields + 1] = label
    end

    if ends_in > 0 then
        fields[#fields + 1] = 'expires'
        fields[#fields + 1] = decimal(now() + ends_in)
    end

    caps(fields)
    put(user, handle, was, fields)

    if keyid then
        redis.call('SET', keyid, string.sub(handle, 5))
    end

    return done_for(user, 'handle_add', handle)
end


-- Rotation: a successor like it; the old one ends when the overlap does, and
-- notes how long it was to live (0: for ever) for another successor.


local function old_key(user, handle, names)
    local key = BASE .. 'handle:' .. handle
    local f = key_type(key) == 'hash' and read(key, names)

    if not f or f[1] ~= user.id then
        return nil, 'not_found', 'handle'
    end

    if f[2] == 'revoked' then
        return nil, 'refused', 'revoked'
    end

    if (f[3] and not number(f[3])) or not number(f[4]) then
        return nil, 'unreadable', 'handle'
    end

    if f[3] and number(f[3]) <= now() then
        return nil, 'refused', 'expired'
    end

    return f
end


local function handle_rotate(user)
    local names = { 'user', 'state', 'expires', 'created', 'life',
                    'roles', 'scopes', 'networks', 'label' }
    local old, new, id = ARGV[7], ARGV[8], ARGV[9]
    local overlap, time = number(ARGV[10]), now()

    if user.state == 'deleted' then
        return reply(user, 'refused', 'deleted')
    end

    local word, detail = room(user)

    if word then
        return reply(user, word, detail)
    end

    local f

    f, word, detail = old_key(user, old, names)

    if not f then
        return reply(user, word, detail)
    end

    local keyid = free_id(id)

    if not keyid or holder(new) ~= nil then
        return reply(user, 'refused', 'id')
    end

    local fields = { 'id', id }
    local ends = number(f[3] or '')
    local life = number(f[5] or '') or ends and ends - number(f[4]) or 0

    if life > 0 then
        fields[#fields + 1] = 'expires'
        fields[#fields + 1] = decimal(time + life)
    end

    for i = 6, #names do
        if f[i] then
            fields[#fields + 1] = names[i]
            fields[#fields + 1] = f[i]
        end
    end

    put(user, new, nil, fields)
    redis.call('SET', keyid, string.sub(new, 5))

    local key = BASE .. 'handle:' .. old

    if overlap == 0 then
        redis.call('HSET', key, 'state', 'revoked')
        done_for(user, 'handle_revoke', old)

    else
        ends = math.min(ends or math.huge, time + overlap)
        redis.call('HSET', key, 'expires', decimal(ends),
                   'life', decimal(life))
        done_for(user, 'update', old)
    end

    return done_for(user, 'handle_add', new)
end


-- Linking.


-- Fields by which the user takes over an identity: issuer and subject of its
-- first one, and an epoch when the identity was another's before, whose
-- tokens must not count.
local function identity(user, was, issuer, subject)
    local fields = {}
    local own = redis.call('HGET', user.key, 'issuer')

    if not own or own == '' then
        fields = { 'issuer', issuer, 'subject', subject }
    end

    if was then
        fields[#fields + 1] = 'epoch'
        fields[#fields + 1] = decimal(math.max(user.epoch, now()))
    end

    return fields
end


local function handle_link(user)
    local handle, issuer, subject = ARGV[7], ARGV[8], ARGV[9]

    if user.state == 'deleted' then
        return reply(user, 'refused', 'deleted')
    end

    local word, detail = room(user)

    if word then
        return reply(user, word, detail)
    end

    local was = holder(handle)

    if was == false then
        return reply(user, 'unreadable', 'handle')
    end

    if was and was.id == user.id then
        return reply(user, 'unchanged')
    end

    if was and was.state ~= 'deleted' then
        return reply(user, 'refused', 'taken')
    end

    if #user.roles + weight(user) + #issuer + #subject > USER_MAX then
        return reply(user, 'refused', 'full')
    end

    put(user, handle, was, { 'id', public_id(handle) })

    return done_for(user, 'handle_add', handle,
                    unpack(identity(user, was, issuer, subject)))
end


-- Revoking. It does not wait for a user that can be read.


local function handle_revoke()
    local id, handle = ARGV[2], ARGV[7]
    local key = BASE .. 'handle:' .. handle
    local found = key_type(key)

    if found == 'none' then
        return { 'not_found', 0, 'handle' }
    end

    if found ~= 'hash' then
        return { 'unreadable', 0, 'handle' }
    end

    if not log_fits() then
        return { 'unreadable', 0, 'log' }
    end

    local f = redis.call('HMGET', key, 'user', 'state')

    if id ~= '' and f[1] ~= id then
        return { 'not_found', 0, 'handle' }
    end

    local user = user_id_ok(f[1]) and open(f[1])

    if f[2] == 'revoked' then
        return { 'unchanged', user and user.version or 0, '' }
    end

    redis.call('HDEL', key, '')
    redis.call('HSET', key, 'state', 'revoked')

    if user then
        return done_for(user, 'handle_revoke', handle)
    end

    log('handle_revoke', '', handle, '0', ARGV[4], ARGV[5], ARGV[6])

    return { 'done', 0, '' }
end


-- What is wrong with the arguments.


local function not_caps()
    if string.find(ARGV[11], '[^rsn]') then
        return 'not a cap'
    end

    for role in string.gmatch(ARGV[12], '[^ ]+') do
        if not role_ok(role) then
            return 'not a role'
        end
    end

    if string.find(ARGV[13], '[^]-~ !#-[]') then
        return 'not a scope'
    end

    if string.find(ARGV[14], '[^%x.:/ ]') then
        return 'not a network'
    end

    if #ARGV[9] + #ARGV[12] + #ARGV[13] + #ARGV[14] > HANDLE_TEXT_MAX then
        return 'a handle that is too long'
    end

    return nil
end


local function not_an_addition()
    local handle = ARGV[7]
    local is_key = string.sub(handle, 1, 4) == 'key:'

    if not handle_ok(handle) or string.sub(handle, 1, 4) == 'sub:' then
        return 'not a handle'
    end

    if (is_key and not key_id_ok(ARGV[8])) or #ARGV[8] > 43 then
        return 'not a public id'
    end

    if not number(ARGV[10]) or #ARGV[9] > LABEL_MAX then
        return 'not a time or not a label'
    end

    return not_caps()
end


local function not_a_rotation()
    for i = 7, 8 do
        if not handle_ok(ARGV[i]) or string.sub(ARGV[i], 1, 4) ~= 'key:' then
            return 'not a key'
        end
    end

    if not key_id_ok(ARGV[9]) or not number(ARGV[10]) then
        return 'not a public id or not a time'
    end

    return nil
end


local function not_a_link()
    if not handle_ok(ARGV[7]) or string.sub(ARGV[7], 1, 4) ~= 'sub:'
       or #ARGV[8] > ISSUER_MAX or #ARGV[9] > LABEL_MAX
       or #ARGV[8] == 0 or #ARGV[9] == 0
    then
        return 'not an identity'
    end

    return nil
end


OPS.handle_add = {
    14, function() return change(false, handle_add) end, not_an_addition
}
OPS.handle_rotate = {
    10, function() return change(false, handle_rotate) end, not_a_rotation
}
OPS.handle_link = {
    9, function() return change(false, handle_link) end, not_a_link
}
OPS.handle_revoke = {
    7, handle_revoke, function()
        return not handle_ok(ARGV[7]) and 'not a handle' or nil
    end
}
