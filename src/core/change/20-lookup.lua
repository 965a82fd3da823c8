--[[
The look-up of a handle, and the user of a first token. "lookup" writes nothing
and works on a read-only replica.

    lookup <handle>
    provision <handle> <new user id> <issuer> <subject> <name> <type>
              <store id once seen, or empty> <new store id>
              <digest of the token's name, or empty>
        word, store or nil, accepted or nil, created 0 or 1,
        handle fields, user fields

A token that has been revoked by its name makes nobody: "revoked".
]]


-- Reads a handle and its user: word, handle fields, user fields.
local function find(handle)
    local key = BASE .. 'handle:' .. handle
    local found = key_type(key)

    if found == 'none' then
        return 'none'
    end

    local h = found == 'hash' and read(key, HANDLE_FIELDS)

    if not h or not user_id_ok(h[1]) then
        return 'unreadable'
    end

    key = BASE .. 'user:' .. h[1]

    local u = key_type(key) == 'hash' and read(key, USER_FIELDS)

    if not u then
        return 'unreadable'
    end

    return 'found', h, u
end


-- Makes the user of a first token; word.
local function create(handle, store)
    local id, issuer, subject = ARGV[3], ARGV[4], ARGV[5]
    local name, kind, fresh = ARGV[6], ARGV[7], ARGV[9]

    local user = BASE .. 'user:' .. id
    local handles = BASE .. 'handles:' .. id

    if key_type(user) ~= 'none' or key_type(handles) ~= 'none'
       or not fits(USERS, 'zset') or not fits(META, 'hash')
       or not log_fits()
    then
        return 'unreadable'
    end

    local time = decimal(now())

    redis.call('HSET', user, 'name', name, 'type', kind, 'state', 'active',
               'issuer', issuer, 'subject', subject, 'roles', '',
               'epoch', '0', 'created', time, 'modified', time,
               'version', '1', 'source', 'jit')
    redis.call('HSET', BASE .. 'handle:' .. handle, 'user', id,
               'id', public_id(handle), 'state', 'active', 'created', time)
    redis.call('SADD', handles, handle)
    redis.call('ZADD', USERS, time, id)

    if not store then
        redis.call('HSET', META, 'store', fresh, 'schema', '1')
    end

    log('create', id, handle, '1', 'token', 'jit', '')

    return 'found'
end


-- What speaks against a token of this name: a word, or nil.
local function token_fault(digest)
    local found = digest ~= '' and key_type(BASE .. 'jti:' .. digest)

    if found == 'string' then
        return 'revoked'
    end

    return found and found ~= 'none' and 'unreadable' or nil
end


local function token_name_ok(digest)
    return digest == ''
           or #digest == 43 and string.find(digest, '^[%w_-]+$')
end


local function lookup(may_create)
    local handle = ARGV[2]
    local word, h, u = find(handle)
    local store, accepted = read_meta()
    local created = 0

    if word == 'none' and may_create then
        local seen, fault = ARGV[8], token_fault(ARGV[10])

        if fault then
            word = fault

        elseif seen ~= '' and store ~= seen
           and not (store and accepted == store)
        then
            word = 'foreign'

        else
            word = create(handle, store)

            if word == 'found' then
                created = 1
                word, h, u = find(handle)
                store, accepted = read_meta()
            end
        end
    end

    return { word, store, accepted, created, h or {}, u or {} }
end


local function not_a_handle()
    if not handle_ok(ARGV[2]) then
        return 'not a handle'
    end

    return nil
end


local function not_a_new_user()
    if not user_id_ok(ARGV[3]) or ARGV[9] == ''
       or #ARGV[9] > STORE_MAX or #ARGV[4] > ISSUER_MAX
       or #ARGV[5] > LABEL_MAX or #ARGV[6] > LABEL_MAX
       or not (ARGV[7] == 'human' or ARGV[7] == 'service'
               or ARGV[7] == 'application')
       or not token_name_ok(ARGV[10])
    then
        return 'not a new user'
    end

    return not_a_handle()
end


OPS.lookup = { 2, function() return lookup(false) end, not_a_handle }
OPS.provision = { 10, function() return lookup(true) end, not_a_new_user }
