--[[
Users that are made before their first token: by the command or a directory.

    user_create   <new user id> <empty> <actor> <source> <reason>
                  <user_name> <its digest> <external_id or empty> <its digest>
                  <name> <type> <active: 1 or 0>
                  <roles> <are scopes given: 1 or 0> <scopes>
                  <expires or empty>
                  <handle or empty> <issuer> <subject>
                  <store id once seen, or empty> <new store id> <extra>
    user_replace  <user id> <expected version, or empty> <actor> <source>
                  <reason> <user_name or empty> <its digest> <the old one's>
                  <external_id or empty> <its digest> <the old one's>
                  <name> <type or empty> <active: 1, 0 or empty: as it was>
                  <extra>
        word, version, detail (of a user_create that is done: when)

An external_id need not be unique (RFC 7643 section 3.1): its index holds "*"
where there have been two, which is no user id, so that nobody is found by
something that means two people.
]]


-- The key of an index entry, and whose it is: false nobody's; nil when the
-- key is of another type.
local function index_entry(kind, digest)
    local key = BASE .. kind .. ':' .. digest

    if not fits(key, 'string') then
        return nil
    end

    return redis.call('GET', key), key
end


local function claim_external(digest, id)
    local owner, key = index_entry('external', digest)

    if owner == false then
        redis.call('SET', key, id)

    elseif owner ~= id then
        redis.call('SET', key, '*')
    end
end


local function digest_ok(digest, text)
    if text == '' then
        return digest == ''
    end

    return #digest == 43 and string.find(digest, '^[%w_-]+$')
end


local function type_ok(kind)
    return kind == 'human' or kind == 'service' or kind == 'application'
end


-- The roles of a text as grants of now; nil when one is none.
local function grants_of(words, time)
    local list = {}

    for role in string.gmatch(words, '[^ ]+') do
        if not role_ok(role) or #list == ROLES_MAX then
            return nil
        end

        list[#list + 1] = role .. '@' .. time
    end

    return table.concat(list, ' ')
end


-- May this handle become the new user's? Only when nobody has it, or somebody
-- who was deleted: then true, since the tokens of before are somebody else's.
local function handle_free(handle)
    local word, h, u = find(handle)

    if word == 'none' then
        return true, false
    end

    if word == 'found' and string.sub(handle, 1, 4) == 'sub:'
       and fits(BASE .. 'handles:' .. h[1], 'set')
       and u[3] == 'deleted'
    then
        return true, BASE .. 'handles:' .. h[1]
    end

    return false
end


-- What speaks against making this user: word, detail.
local function create_fault(user, handles)
    local store, accepted = read_meta()
    local seen = ARGV[21]

    if seen ~= '' and store ~= seen and not (store and accepted == store) then
        return 'refused', 'foreign'
    end

    if key_type(user) ~= 'none' or key_type(handles) ~= 'none'
       or not fits(USERS, 'zset') or not fits(META, 'hash')
    then
        return 'unreadable', 'user'
    end

    if not log_fits() then
        return 'unreadable', 'log'
    end

    local owner = index_entry('name', ARGV[8])

    if owner == nil
       or (ARGV[10] ~= '' and index_entry('external', ARGV[10]) == nil)
    then
        return 'unreadable', 'index'
    end

    if owner then
        return 'refused', 'user_name'
    end

    if ARGV[18] ~= '' and not handle_free(ARGV[18]) then
        return 'refused', 'handle'
    end

    return nil
end


local function create_user()
    local id, source = ARGV[2], ARGV[5]
    local user, handles = BASE .. 'user:' .. id, BASE .. 'handles:' .. id
    local time = decimal(now())
    local roles = grants_of(ARGV[14], time)

    -- the answer to the first attempt was lost: it is the same user
    if redis.call('HGET', user, 'user_name') == ARGV[7] then
        return { 'done', 1, redis.call('HGET', user, 'created') or '' }
    end

    local word, detail = create_fault(user, handles)

    if not roles then
        word, detail = 'refused', 'role'

    elseif #roles > FIELD_MAX
           or #roles + #ARGV[11] + #ARGV[16] + #ARGV[19] + #ARGV[20]
              > USER_MAX
    then
        word, detail = 'refused', 'full'
    end

    if word then
        return { word, 0, detail }
    end

    local f = { 'name', ARGV[11], 'type', ARGV[12], 'state', 'active',
                'issuer', ARGV[19], 'subject', ARGV[20], 'roles', roles,
                'epoch', '0', 'created', time, 'modified', time,
                'version', '1', 'source', source, 'user_name', ARGV[7] }

    local function add(name, value)
        f[#f + 1] = name
        f[#f + 1] = value
    end

    if ARGV[13] == '0' then
        f[6] = 'suspended'
        add('suspended_by', source)
    end

    if ARGV[9] ~= '' then add('external_id', ARGV[9]) end
    if ARGV[15] == '1' then add('scopes', ARGV[16]) end
    if ARGV[17] ~= '' then add('expires', ARGV[17]) end
    if ARGV[23] ~= '' then add('extra', ARGV[23]) end

    if ARGV[18] ~= '' then
        local _, old = handle_free(ARGV[18])

        if old then
            f[14] = time
            redis.call('SREM', old, ARGV[18])
            redis.call('DEL', BASE .. 'handle:' .. ARGV[18])
        end

        redis.call('HSET', BASE .. 'handle:' .. ARGV[18], 'user', id,
                   'id', public_id(ARGV[18]), 'state', 'active',
                   'created', time)
        redis.call('SADD', handles, ARGV[18])
    end

    redis.call('HSET', user, unpack(f))
    redis.call('ZADD', USERS, time, id)
    redis.call('SET', BASE .. 'name:' .. ARGV[8], id)

    if ARGV[10] ~= '' then
        claim_external(ARGV[10], id)
    end

    if not read_meta() then
        redis.call('HSET', META, 'store', ARGV[22], 'schema', '1')
    end

    log('create', id, ARGV[18], '1', ARGV[4], source, ARGV[6])

    return { 'done', 1, time }
end


-- What becomes of the state: the fields to write, the word for the log.
local function activity(user, active, source)
    local by, had = others(user.by, source)

    if active == '0' then
        if user.state == 'suspended' and had then
            return {}, 'update'
        end

        if user.state ~= 'suspended' then
            by = {}
        end

        by[#by + 1] = source

        return { 'state', 'suspended',
                 'suspended_by', table.concat(by, ' ') }, 'suspend'
    end

    if active ~= '1' or user.state ~= 'suspended' or not had then
        return {}, 'update'
    end

    if #by > 0 then
        return { 'suspended_by', table.concat(by, ' ') }, 'update'
    end

    return { 'state', 'active', 'suspended_by', '' }, 'resume'
end


-- The fields among these that are other than in the record.
local function differing(key, fields, values)
    local old = redis.call('HMGET', key, unpack(fields))
    local out = {}

    for i = 1, #fields do
        if (old[i] or '') ~= values[i] then
            out[#out + 1] = fields[i]
            out[#out + 1] = values[i]
        end
    end

    return out
end


-- What speaks against the new names: word, detail.
local function rename_fault(user)
    local name, external = ARGV[8], ARGV[11]

    if name ~= '' then
        local owner = index_entry('name', name)

        if owner == nil then
            return 'unreadable', 'index'
        end

        if owner and owner ~= user.id then
            return 'refused', 'user_name'
        end
    end

    if external ~= '' and index_entry('external', external) == nil then
        return 'unreadable', 'index'
    end

    return nil
end


local function reindex(user)
    local name, old_name = ARGV[8], ARGV[9]
    local external, old_external = ARGV[11], ARGV[12]

    if old_name ~= name then
        local key = index_of(user, 'name', old_name)

        if key then
            redis.call('DEL', key)
        end
    end

    if name ~= '' then
        redis.call('SET', BASE .. 'name:' .. name, user.id)
    end

    if old_external ~= external then
        local key = index_of(user, 'external', old_external)

        if key then
            redis.call('DEL', key)
        end

        if external ~= '' then
            claim_external(external, user.id)
        end
    end
end


local function replace(user)
    local word, detail = rename_fault(user)

    if user.state == 'deleted' then
        word, detail = 'not_found', ''
    end

    if word then
        return reply(user, word, detail)
    end

    local names = { 'user_name', 'external_id', 'extra' }
    local values = { ARGV[7], ARGV[10], ARGV[16] }

    if ARGV[14] ~= '' then
        names[#names + 1], values[#values + 1] = 'type', ARGV[14]
    end

    -- a name for display that no longer fits is no reason to refuse the rest
    if weight(user) + #user.roles + #ARGV[13]
       - redis.call('HSTRLEN', user.key, 'name') <= USER_MAX
    then
        names[#names + 1], values[#values + 1] = 'name', ARGV[13]
    end

    local fields = differing(user.key, names, values)
    local state, op = activity(user, ARGV[15], ARGV[5])

    if #fields + #state == 0 then
        return reply(user, 'unchanged')
    end

    if op == 'suspend' then
        make_way(user)
    end

    reindex(user)

    for i = 1, #state do
        fields[#fields + 1] = state[i]
    end

    return done(user, op, unpack(fields))
end


local function not_names()
    local name_digest, external, external_digest = ARGV[8], ARGV[9], ARGV[10]

    if OP == 'user_replace' then
        external, external_digest = ARGV[10], ARGV[11]
    end

    if not digest_ok(name_digest, ARGV[7])
       or not digest_ok(external_digest, external)
       or #ARGV[7] > NAME_MAX or #external > NAME_MAX
    then
        return 'not the names of a user'
    end

    return nil
end


local function not_a_created_user()
    local handle = ARGV[18]

    if not user_id_ok(ARGV[2]) or ARGV[7] == '' or not type_ok(ARGV[12])
       or #ARGV[11] > LABEL_MAX or not string.find(ARGV[13], '^[01]$')
       or not string.find(ARGV[15], '^[01]$')
       or not (ARGV[17] == '' or number(ARGV[17]))
       or not (handle == '' or handle_ok(handle))
       or #ARGV[19] > ISSUER_MAX or #ARGV[20] > LABEL_MAX
       or ARGV[22] == '' or #ARGV[22] > STORE_MAX
    then
        return 'not a new user'
    end

    return not_names()
end


local function not_a_replacement()
    if #ARGV[13] > LABEL_MAX or not (ARGV[14] == '' or type_ok(ARGV[14]))
       or not string.find(ARGV[15], '^[01]?$')
       or not (ARGV[9] == '' or digest_ok(ARGV[9], 'old'))
       or not (ARGV[12] == '' or digest_ok(ARGV[12], 'old'))
    then
        return 'not a user'
    end

    return not_names()
end


OPS.user_create = { 23, create_user, not_a_created_user, 23 }
OPS.user_replace = { 16, function() return change(false, replace) end,
                     not_a_replacement, 16 }
