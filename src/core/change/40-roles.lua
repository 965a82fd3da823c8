--[[
Roles of a user.

    grant     <user id> <expected version, or empty> <actor> <source> <reason>
              <role> <seconds from now until it ends, 0: it does not>
    ungrant   ... <role>
        word, version, detail
]]


local function role_ok(role)
    return #role <= 64 and string.find(role, '^[%w_.:/-]+$')
           and string.find(role, '[%l%d]')
end


-- Is it a grant? Its role.
local function grant_role(grant)
    local name, tail = string.match(grant, '^([^@=]+)(.*)$')

    if not name or not role_ok(name) or #tail > 32
       or not (tail == '' or string.find(tail, '^@%d+$')
               or string.find(tail, '^=%d+$')
               or string.find(tail, '^@%d+=%d+$'))
    then
        return nil
    end

    return name
end


-- How often each grant is among those that groups gave ("scim_roles": the
-- same words as in "roles", where they stand beside all others).
local function given(user)
    local count = {}

    for grant in string.gmatch(string.sub(user.scim_roles, 1, FIELD_MAX),
                               '[^ ]+')
    do
        count[grant] = (count[grant] or 0) + 1
    end

    return count
end


-- The grants of a user other than of this role: text, count, was it there.
-- What groups gave stays, unless "all". nil when one of them is no grant.
local function grants(user, role, all)
    local rest, had, kept = {}, false, all and {} or given(user)

    if #user.roles > FIELD_MAX then
        return nil
    end

    for grant in string.gmatch(user.roles, '[^ ]+') do
        local name = grant_role(grant)

        if not name then
            return nil
        end

        if name == role and (kept[grant] or 0) == 0 then
            had = true

        else
            kept[grant] = (kept[grant] or 0) - 1
            rest[#rest + 1] = grant
        end
    end

    return table.concat(rest, ' '), #rest, had
end


-- The bytes of a user's record beside the roles.
local function weight(user)
    local sum = 0

    for _, field in ipairs({ 'name', 'issuer', 'subject', 'scopes' }) do
        sum = sum + redis.call('HSTRLEN', user.key, field)
    end

    return sum
end


local function grant(user)
    local role, ends_in = ARGV[7], number(ARGV[8])

    if user.state == 'deleted' then
        return reply(user, 'refused', 'deleted')
    end

    if not role_ok(role) or not ends_in then
        return reply(user, 'refused', 'role')
    end

    local roles, count = grants(user, role)

    if not roles then
        return reply(user, 'unreadable', 'roles')
    end

    local time = now()
    local word = role .. '@' .. decimal(time)

    if ends_in > 0 then
        word = word .. '=' .. decimal(time + ends_in)
    end

    roles = (roles == '') and word or roles .. ' ' .. word

    if count >= ROLES_MAX or #roles > FIELD_MAX
       or #roles + weight(user) > USER_MAX
    then
        return reply(user, 'refused', 'full')
    end

    return done(user, 'grant', 'roles', roles)
end


-- Whoever takes a role away wants it gone, whatever gave it: a group gives it
-- again when somebody is made its member again.
local function ungrant(user)
    local roles, _, had = grants(user, ARGV[7], true)

    if not roles then
        return reply(user, 'unreadable', 'roles')
    end

    if not had then
        return reply(user, 'unchanged')
    end

    if user.scim_roles == '' then
        return done(user, 'ungrant', 'roles', roles)
    end

    user.roles = user.scim_roles

    return done(user, 'ungrant', 'roles', roles, 'scim_roles',
                grants(user, ARGV[7], true) or '')
end


OPS.grant = { 8, function() return change(false, grant) end }
OPS.ungrant = { 7, function() return change(false, ungrant) end }
