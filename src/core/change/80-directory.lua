--[[
What a directory asks: nothing here writes.

    scim_user     <id, name or external> <user id, or digest>
        word ("many" where an external_id means two people; "unreadable"
        where somebody is there and the record makes no sense), user id, fields
    scim_users    <how many of the living to pass over> <how many to read>
        word, how many there are, how many were passed over and read,
        user id, fields, user id, fields, ...
    scim_group    <group id>
        word, group id, fields
    scim_groups   <how many to pass over> <how many to read>
        as scim_users
    scim_members  <group id> <number of the last member seen, or empty>
                  <how many to read>
        word, the number to go on after or empty, user id, user id, ...

A page ends early once PAGE_BYTES are together. Who is deleted meanwhile, or
has a record that cannot be read, is left out.
]]

local PAGE_MAX = 1000
local PAGE_BYTES = 1000000

-- The order of PU_SCIM_USER_FIELDS and PU_SCIM_GROUP_FIELDS in pu_scim.h.
local SCIM_USER = {
    'name', 'type', 'state', 'created', 'modified', 'version', 'user_name',
    'external_id', 'groups', 'extra'
}
local SCIM_GROUP = {
    'display_name', 'external_id', 'created', 'modified', 'version', 'extra'
}


-- The fields of a record, and how many bytes they are; nil if it is none.
local function record(key, names)
    if key_type(key) ~= 'hash' then
        return nil
    end

    local f = redis.call('HMGET', key, unpack(names))
    local size = 0

    for i = 1, #names do
        if f[i] then
            size = size + #f[i]
        end
    end

    if size > EXTRA_MAX + 4 * FIELD_MAX then
        return nil
    end

    return f, size
end


local function living_user(id)
    local f, size

    if user_id_ok(id) then
        f, size = record(BASE .. 'user:' .. id, SCIM_USER)
    end

    if f and (f[3] == 'active' or f[3] == 'suspended') then
        return f, size
    end

    return nil
end


-- Not a deleted one: what can be read of a record that makes no sense.
local function broken_user(id)
    local key = BASE .. 'user:' .. (id or '')

    if not user_id_ok(id) or key_type(key) == 'none' then
        return nil
    end

    local f = record(key, SCIM_USER) or {}

    return f[3] ~= 'deleted' and f or nil
end


local function group_record(id)
    if not group_id_ok(id) then
        return nil
    end

    local f, size = record(BASE .. 'group:' .. id, SCIM_GROUP)

    if f and f[1] then
        return f, size
    end

    return nil
end


local function scim_user()
    local how, id = ARGV[2], ARGV[3]

    if how ~= 'id' then
        id = index_entry(how, ARGV[3])

        if id == '*' then
            return { 'many', '', {} }
        end
    end

    local f = living_user(id)

    if f then
        return { 'found', id, f }
    end

    f = broken_user(id)

    return f and { 'unreadable', id, f } or { 'none', '', {} }
end


local function scim_group()
    local f = group_record(ARGV[2])

    if not f then
        return { 'none', '', {} }
    end

    return { 'found', ARGV[2], f }
end


-- A page of an index, whose members below zero are the deleted.
local function page(index, read_one)
    local from, count = number(ARGV[2]), number(ARGV[3])

    if not fits(index, 'zset') then
        return { 'unreadable', 0, 0 }
    end

    local buried = redis.call('ZCOUNT', index, '-inf', '(0')
    local total = redis.call('ZCARD', index) - buried
    local out = { 'found', total, from }
    local size = 0

    if count == 0 or from >= total then
        return out
    end

    local ids = redis.call('ZRANGE', index, decimal(buried + from),
                           decimal(buried + from + count - 1))

    for i = 1, #ids do
        local f, more = read_one(ids[i])

        out[3] = from + i

        if f then
            out[#out + 1] = ids[i]
            out[#out + 1] = f
            size = size + more + 100
        end

        if size > PAGE_BYTES then
            break
        end
    end

    return out
end


local function scim_members()
    local key = BASE .. 'members:' .. ARGV[2]
    local from = ARGV[3] == '' and '-inf' or '(' .. ARGV[3]

    if not fits(key, 'zset') then
        return { 'unreadable', '' }
    end

    local count = number(ARGV[4])
    local found = redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES',
                             'LIMIT', '0', decimal(count))
    local out = { 'found', #found == 2 * count and found[#found] or '' }

    for i = 1, #found, 2 do
        out[#out + 1] = found[i]
    end

    return out
end


local function not_a_count(text)
    local n = number(text)

    return not n or n > PAGE_MAX
end


local function not_a_page()
    if not number(ARGV[2]) or not_a_count(ARGV[3]) then
        return 'not a page'
    end

    return nil
end


local function not_a_question()
    if OP == 'scim_user' then
        local how = ARGV[2]

        if not ((how == 'id' and user_id_ok(ARGV[3]))
                or ((how == 'name' or how == 'external')
                    and digest_ok(ARGV[3], '*')))
        then
            return 'not a user'
        end

    elseif not group_id_ok(ARGV[2])
           or (OP == 'scim_members'
               and (not (ARGV[3] == '' or number(ARGV[3]))
                    or not_a_count(ARGV[4]) or ARGV[4] == '0'))
    then
        return 'not a group'
    end

    return nil
end


OPS.scim_user = { 3, scim_user, not_a_question }
OPS.scim_users = { 3, function() return page(USERS, living_user) end,
                   not_a_page }
OPS.scim_group = { 2, scim_group, not_a_question }
OPS.scim_groups = { 3, function() return page(GROUPS, group_record) end,
                    not_a_page }
OPS.scim_members = { 4, scim_members, not_a_question }
