--[[
Groups of a directory, and what their members get from them.

A group is the hash {<prefix>}:group:<id> (display_name, external_id, extra,
roles: what it gives, created, modified, version, source), in the index
{<prefix>}:groups by creation time. Its members are {<prefix>}:members:<id>,
user ids by a number that only grows, so that a walk goes on where it stopped
whatever changes meanwhile. A user's record has "groups", the ids of its
groups, and "scim_roles", those grants of "roles" that groups gave.

One call changes at most MEMBERS members: a large group is several calls, each
of which leaves everything true. Where the roles of a group change, "was" holds
what it gave and gives until a walk has seen every member.

    group_create  <new group id> <empty> <actor> <source> <reason>
                  <display_name> <external_id or empty> <roles>
                  <ids to add> <extra>
    group_change  <group id> <expected version, or empty> <actor> <source>
                  <reason> <display_name> <external_id or empty> <roles>
                  <ids to add> <extra> <ids to remove>
        word, version, "walk" where "was" is there
    group_walk    <group id> <empty> <actor> <source> <reason>
                  <number of the last member seen, or empty>
        word, version, the number to go on after, empty at the end
    group_delete  <group id> <expected version, or empty> <actor> <source>
                  <reason>
        word, version, "more" while members are left
]]

local GROUPS = BASE .. 'groups'
local MEMBERS = 150
local MEMBERS_MAX = 50000   -- of one group


local function open_group(id)
    local key, members = BASE .. 'group:' .. id, BASE .. 'members:' .. id

    if not log_fits() then
        return nil, 'unreadable', 'log'
    end

    if not fits(key, 'hash') or not fits(members, 'zset')
       or not fits(GROUPS, 'zset')
    then
        return nil, 'unreadable', 'group'
    end

    local f = redis.call('HMGET', key, 'display_name', 'external_id', 'extra',
                         'roles', 'was', 'version', 'seq')

    return {
        id = id,
        key = key,
        members = members,
        exists = f[1] and true or false,
        values = { f[1] or '', f[2] or '', f[3] or '', f[4] or '' },
        roles = f[4] or '',
        was = f[5] or '',
        version = number(f[6]) or 0,
        seq = number(f[7]) or 0
    }
end


local function words(text)
    local list = {}

    for word in string.gmatch(text, '[^ ]+') do
        list[#list + 1] = word
    end

    return list
end


-- Which of these roles do groups give, other than this one?
local function also_given(user, group, roles, cache)
    local set = {}

    for _, id in ipairs(words(user.groups)) do
        if id ~= group.id and group_id_ok(id) then
            if not cache[id] then
                local key = BASE .. 'group:' .. id
                local text = key_type(key) == 'hash'
                             and redis.call('HGET', key, 'roles') or ''

                cache[id] = words(text)
            end

            for _, role in ipairs(cache[id]) do
                set[role] = true
            end
        end
    end

    local found = {}

    for _, role in ipairs(roles) do
        found[role] = set[role]
    end

    return found
end


-- A user's grants with these roles given and those taken by groups:
-- "roles", "scim_roles", was one given, was one taken; nil when it is full.
local function regrant(user, give, take, time)
    local kept, scim, own = given(user), {}, {}
    local held, gained, lost = {}, false, false

    for _, grant in ipairs(words(user.scim_roles)) do
        local role = grant_role(grant)

        if role and take[role] then
            lost = true

        elseif role then
            held[role] = true
            scim[#scim + 1] = grant
        end
    end

    for _, grant in ipairs(words(user.roles)) do
        if (kept[grant] or 0) > 0 then
            kept[grant] = kept[grant] - 1

        else
            own[#own + 1] = grant
        end
    end

    for _, role in ipairs(give) do
        if not held[role] then
            held[role], gained = true, true
            scim[#scim + 1] = role .. '@' .. time
        end
    end

    for i = 1, #scim do
        own[#own + 1] = scim[i]
    end

    local roles = table.concat(own, ' ')

    if gained and (#own > ROLES_MAX or #roles > FIELD_MAX
                   or #roles + weight(user) > USER_MAX)
    then
        return nil
    end

    return roles, table.concat(scim, ' '), gained, lost
end


-- What a membership that begins, ends or gives something else means for one
-- user: what to write. nil, word, detail where it may not be. false: nothing.
local function plan(group, id, change, cache, time)
    local user = user_id_ok(id) and open(id)

    if not user or user.broken or user.state == 'deleted' then
        -- not here: there is nothing to give, and only the name to take off
        return change ~= 'add' and { id = id } or false
    end

    local listed = string.find(' ' .. user.groups .. ' ', ' ' .. group.id
                               .. ' ', 1, true)
    local give, candidates, take = {}, words(group.was), {}

    if change == 'remove' then
        for _, role in ipairs(words(group.roles)) do
            candidates[#candidates + 1] = role
        end

    else
        give = words(group.roles)
    end

    local stays = also_given(user, group, candidates, cache)

    for _, role in ipairs(give) do
        stays[role] = true
    end

    for _, role in ipairs(candidates) do
        take[role] = not stays[role]
    end

    local roles, scim, gained, lost = regrant(user, give, take, time)

    if not roles then
        return nil, 'refused', 'full'
    end

    local groups = user.groups

    if change == 'add' and not listed then
        groups = groups == '' and group.id or groups .. ' ' .. group.id

    elseif change == 'remove' and listed then
        local rest = {}

        for _, word in ipairs(words(groups)) do
            if word ~= group.id then
                rest[#rest + 1] = word
            end
        end

        groups = table.concat(rest, ' ')
    end

    if #groups > GROUPS_LENGTH then
        return nil, 'refused', 'groups'
    end

    return {
        id = id,
        user = user,
        same = groups == user.groups and not gained and not lost,
        roles = roles,
        scim = scim,
        groups = groups,
        op = gained and 'grant' or lost and 'ungrant' or 'update'
    }
end


-- Adds the plans of these users to the list; word, detail where one may not
-- be. Members are not added twice.
local function plan_all(list, group, ids, change, cache, time)
    for _, id in ipairs(ids) do
        local is = redis.call('ZSCORE', group.members, id)

        if change == 'walk' or (change == 'add') == not is then
            local one, word, detail = plan(group, id, change, cache, time)

            if one == nil then
                return word, detail
            end

            if one then
                one.change = change
                list[#list + 1] = one
            end
        end
    end

    return nil
end


local function apply(group, list)
    for _, one in ipairs(list) do
        if one.change == 'remove' then
            redis.call('ZREM', group.members, one.id)

        elseif one.change == 'add' then
            group.seq = group.seq + 1
            redis.call('ZADD', group.members, group.seq, one.id)
        end

        if one.user and not one.same then
            if one.op == 'ungrant' then
                make_way(one.user)
            end

            done(one.user, one.op, 'roles', one.roles,
                 'scim_roles', one.scim, 'groups', one.groups)
        end
    end
end


local function group_reply(group, word, detail)
    return { word, group.version, detail or '' }
end


local function write_group(group, ...)
    redis.call('HSET', group.key, 'version', decimal(group.version),
               'seq', decimal(group.seq), 'modified', decimal(now()), ...)
end


-- An entry for the group itself: no user is meant, so none is named.
local function log_group(group, op)
    log(op, '', '', decimal(group.version), ARGV[4], ARGV[5],
        'group ' .. group.id)
end


local function wanted()
    return { ARGV[7], ARGV[8], ARGV[11], ARGV[9] }
end


local function group_create()
    local group, word, detail = open_group(ARGV[2])

    if not group then
        return { word, 0, detail }
    end

    -- the answer to the first attempt was lost: it is the same group
    if group.exists then
        return group_reply(group, 'done')
    end

    local time = decimal(now())
    local list = {}

    group.roles = ARGV[9]

    word, detail = plan_all(list, group, words(ARGV[10]), 'add', {}, time)

    if word then
        return { word, 0, detail }
    end

    local v = wanted()

    redis.call('ZADD', GROUPS, time, group.id)
    group.version = 1
    apply(group, list)
    write_group(group, 'display_name', v[1], 'external_id', v[2],
                'extra', v[3], 'roles', v[4], 'created', time,
                'source', ARGV[5])
    log_group(group, 'create')

    return group_reply(group, 'done')
end


-- What the group gave and gives, as a set: every member is to be looked at for
-- these, so it is empty only where nothing ever was given.
local function to_be_seen(group, roles)
    local set, list = {}, {}

    for _, role in ipairs(words(group.was .. ' ' .. group.roles .. ' '
                                .. roles))
    do
        if not set[role] then
            set[role] = true
            list[#list + 1] = role
        end
    end

    return table.concat(list, ' ')
end


local function group_change(group)
    local time, list, cache = decimal(now()), {}, {}
    local v, same = wanted(), true

    for i = 1, 4 do
        same = same and v[i] == group.values[i]
    end

    if v[4] ~= group.roles and redis.call('ZCARD', group.members) > 0 then
        group.was = to_be_seen(group, v[4])
    end

    group.roles = v[4]

    if #group.was > FIELD_MAX then
        return group_reply(group, 'refused', 'full')
    end

    local word, detail = plan_all(list, group, words(ARGV[12]), 'remove',
                                  cache, time)
    local gone = #list

    if not word then
        word, detail = plan_all(list, group, words(ARGV[10]), 'add', cache,
                                time)
    end

    if word then
        return group_reply(group, word, detail)
    end

    -- who is a member already is not counted twice
    local grows = #list - 2 * gone

    if grows > 0
       and redis.call('ZCARD', group.members) + grows > MEMBERS_MAX
    then
        return group_reply(group, 'refused', 'members')
    end

    local walk = group.was ~= '' and 'walk' or ''

    if same and #list == 0 then
        return group_reply(group, 'unchanged', walk)
    end

    apply(group, list)
    group.version = group.version + 1
    write_group(group, 'display_name', v[1], 'external_id', v[2],
                'extra', v[3], 'roles', v[4], 'was', group.was)

    if not same then
        log_group(group, 'update')
    end

    return group_reply(group, 'done', walk)
end


local function group_walk(group)
    local from = ARGV[7] == '' and '-inf' or '(' .. ARGV[7]
    local found = redis.call('ZRANGEBYSCORE', group.members, from, '+inf',
                             'WITHSCORES', 'LIMIT', '0', MEMBERS)
    local ids, list = {}, {}

    for i = 1, #found, 2 do
        ids[#ids + 1] = found[i]
    end

    local word, detail = plan_all(list, group, ids, 'walk', {},
                                  decimal(now()))

    if word then
        return group_reply(group, word, detail)
    end

    apply(group, list)

    if #ids == MEMBERS then
        return group_reply(group, 'done', found[#found])
    end

    redis.call('HDEL', group.key, 'was')

    return group_reply(group, 'done')
end


local function group_delete(group)
    local ids = redis.call('ZRANGE', group.members, 0, MEMBERS - 1)
    local list = {}
    local word, detail = plan_all(list, group, ids, 'remove', {},
                                  decimal(now()))

    if word then
        return group_reply(group, word, detail)
    end

    apply(group, list)
    group.version = group.version + 1

    if redis.call('ZCARD', group.members) > 0 then
        write_group(group)
        return group_reply(group, 'done', 'more')
    end

    redis.call('DEL', group.key, group.members)
    redis.call('ZREM', GROUPS, group.id)
    log_group(group, 'delete')

    return group_reply(group, 'done')
end


local function with_group(action)
    local group, word, detail = open_group(ARGV[2])

    if not group then
        return { word, 0, detail }
    end

    if not group.exists then
        return { 'not_found', 0, '' }
    end

    if ARGV[3] ~= '' and ARGV[3] ~= decimal(group.version) then
        return group_reply(group, 'conflict')
    end

    return action(group)
end


local function not_a_group()
    if not group_id_ok(ARGV[2]) then
        return 'not a group'
    end

    if OP == 'group_walk' and not (ARGV[7] == '' or number(ARGV[7])) then
        return 'not a number of a member'
    end

    if OP ~= 'group_create' and OP ~= 'group_change' then
        return nil
    end

    if ARGV[7] == '' or #ARGV[7] > NAME_MAX or #ARGV[8] > NAME_MAX
       or not grants_of(ARGV[9], '0') or #words(ARGV[10]) > MEMBERS
       or #words(ARGV[12] or '') > MEMBERS
    then
        return 'not a group'
    end

    return nil
end


OPS.group_create = { 11, group_create, not_a_group, 11 }
OPS.group_change = { 12, function() return with_group(group_change) end,
                     not_a_group, 11 }
OPS.group_walk = { 7, function() return with_group(group_walk) end,
                   not_a_group }
OPS.group_delete = { 6, function() return with_group(group_delete) end,
                     not_a_group }
