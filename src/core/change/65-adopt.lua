--[[
A first token finds the user that was provisioned for it.

    adopt <handle> <issuer> <subject> <"name" or "external"> <digest>
          <when the token was issued, or empty> <store id once seen, or empty>
          <digest of the token's name, or empty>
        as lookup

Where there is no such handle, the user with this user_name or external_id
gets it: not a deleted one, not one who has an identity already, and not by a
token that is as old as the user or older, or that has been revoked.
]]


local function has_identity(set)
    if redis.call('SCARD', set) > HANDLES_MAX then
        return true
    end

    for _, handle in ipairs(redis.call('SMEMBERS', set)) do
        if string.sub(handle, 1, 4) == 'sub:' then
            return true
        end
    end

    return false
end


-- The user who may take the handle; else the word of the reply.
local function adopter()
    local key = BASE .. ARGV[5] .. ':' .. ARGV[6]
    local id = key_type(key) == 'string' and redis.call('GET', key)

    if not user_id_ok(id) then
        return nil, 'none'
    end

    local user = open(id)
    local set = BASE .. 'handles:' .. id

    if not user or user.broken or not fits(set, 'set') then
        return nil, 'unreadable'
    end

    local issued = number(ARGV[7])
    local created = number(redis.call('HGET', user.key, 'created'))

    if user.state == 'deleted' or not issued or not created
       or issued <= created or has_identity(set)
       or #user.roles + weight(user) + #ARGV[3] + #ARGV[4] > USER_MAX
    then
        return nil, 'none'
    end

    return user
end


local function adopt()
    local handle, seen = ARGV[2], ARGV[8]
    local word, h, u = find(handle)
    local store, accepted = read_meta()
    local user

    if word == 'none' then
        user, word = adopter()
    end

    if user and token_fault(ARGV[9]) then
        user, word = nil, token_fault(ARGV[9])
    end

    if user and seen ~= '' and store ~= seen
       and not (store and accepted == store)
    then
        user, word = nil, 'foreign'
    end

    if user then
        local fields = identity(user, nil, ARGV[3], ARGV[4])

        put(user, handle, nil, { 'id', public_id(handle) })

        -- where a change has these three

        ARGV[4], ARGV[5], ARGV[6] = 'token', 'jit', ''
        done_for(user, 'handle_add', handle, unpack(fields))

        word, h, u = find(handle)
    end

    return { word, store, accepted, 0, h or {}, u or {} }
end


local function not_an_adoption()
    if not (ARGV[5] == 'name' or ARGV[5] == 'external') or #ARGV[6] ~= 43
       or #ARGV[3] > ISSUER_MAX or #ARGV[4] > LABEL_MAX
       or string.sub(ARGV[2], 1, 4) ~= 'sub:' or not token_name_ok(ARGV[9])
    then
        return 'not an identity'
    end

    return not_a_handle()
end


OPS.adopt = { 9, adopt, not_an_adoption }
