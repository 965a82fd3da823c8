--[[
change.lua: the one look-up of a handle and the one writer of users.

Called by the module and by the command alike, always as

    EVALSHA <sha> 1 {<prefix>}:log <op> <argument> ...

Every other key is made from that one key, in the same hash slot. Whatever
is written is read and checked first, so that an error leaves nothing half
made; then it is written; then one entry is added to the log. Strings come as
arguments and are never made part of a command. "lookup" writes nothing and
works on a read-only replica.

    lookup <handle>
    provision <handle> <new user id> <issuer> <subject> <name> <type>
              <store id once seen, or empty> <new store id>
        word, store or nil, accepted or nil, created 0 or 1,
        handle fields, user fields

    suspend | resume | revoke
              <user id> <expected version, or empty> <actor> <source> <reason>
    delete    ... <digest of user_name or empty> <of external_id or empty>
    grant     ... <role> <seconds from now until it ends, 0: it does not>
    ungrant   ... <role>
    accept_store <new store id> <empty> <actor> <source> <reason>
        word, version, detail
]]

local LOG = KEYS[1]
local BASE = string.sub(LOG, 1, -4)
local USERS = BASE .. 'users'
local META = BASE .. 'meta'

local OP = ARGV[1]

local LOG_LENGTH = 1000000
local FIELD_MAX = 4096
local STORE_MAX = 64
local USER_MAX = 6000       -- name, issuer, subject, roles, scopes together
local ROLES_MAX = 256
local HANDLES_MAX = 10000
local LABEL_MAX = 255       -- of a new user: name, subject
local ISSUER_MAX = 1024

-- The order of PU_USER_FIELDS and PU_HANDLE_FIELDS in pu_user.h.
local USER_FIELDS = {
    'name', 'type', 'state', 'issuer', 'subject', 'roles', 'scopes',
    'epoch', 'expires', 'version'
}
local HANDLE_FIELDS = {
    'user', 'id', 'state', 'not_before', 'expires', 'roles', 'scopes'
}


local function key_type(key)
    return redis.call('TYPE', key)['ok']
end


-- Is this key of the type, or may it become so?
local function fits(key, kind)
    local found = key_type(key)

    return found == kind or found == 'none'
end


local function user_id_ok(id)
    return id and #id == 24 and string.find(id, '^u_[%w_-]+$')
end


local function handle_ok(handle)
    if #handle > 48 then
        return false
    end

    local kind, digest = string.match(handle, '^(%l+):([%w_-]+)$')

    return kind and #digest == 43
           and (kind == 'sub' or kind == 'key' or kind == 'cert')
end


-- The fields of a hash, false where there is none; nil when one is too long.
-- HMGET, not HGETALL: a record may carry large fields that mean nothing here.
local function read(key, names)
    local values = redis.call('HMGET', key, unpack(names))

    for i = 1, #names do
        if values[i] and #values[i] > FIELD_MAX then
            return nil
        end
    end

    return values
end


local function read_meta()
    if key_type(META) ~= 'hash' then
        return false, false
    end

    local meta = redis.call('HMGET', META, 'store', 'accepted')

    for i = 1, 2 do
        if meta[i] and (#meta[i] == 0 or #meta[i] > STORE_MAX) then
            meta[i] = false
        end
    end

    return meta[1], meta[2]
end


-- A whole number that was written as one, else nil.
local function number(text)
    if text and #text <= 15 and string.find(text, '^%d+$') then
        return tonumber(text)
    end

    return nil
end


local function decimal(n)
    return string.format('%.0f', n)
end


local function now()
    return tonumber(redis.call('TIME')[1])
end


-- May an entry be added? A stream whose last id was set to the largest one
-- takes no more, and that must not be found out after the first write.
local function log_fits()
    local found = key_type(LOG)

    if found == 'none' then
        return true
    end

    if found ~= 'stream' then
        return false
    end

    local info = redis.call('XINFO', 'STREAM', LOG)

    for i = 1, #info - 1, 2 do
        if info[i] == 'last-generated-id' then
            return not string.find(info[i + 1], '^18446744073709551615-')
        end
    end

    return true
end


local function log(op, user, handle, version, actor, source, reason)
    redis.call('XADD', LOG, 'MAXLEN', '~', LOG_LENGTH, '*', 'op', op,
               'user', user, 'handle', handle, 'version', version,
               'actor', actor, 'source', source, 'reason', reason)
end


-- Look-up.


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
               'state', 'active', 'created', time)
    redis.call('SADD', handles, handle)
    redis.call('ZADD', USERS, time, id)

    if not store then
        redis.call('HSET', META, 'store', fresh, 'schema', '1')
    end

    log('create', id, handle, '1', 'token', 'jit', '')

    return 'found'
end


local function lookup(may_create)
    local handle = ARGV[2]
    local word, h, u = find(handle)
    local store, accepted = read_meta()
    local created = 0

    if word == 'none' and may_create then
        local seen = ARGV[8]

        if seen ~= '' and store ~= seen
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


-- Changes.


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
                         'epoch', 'version')

    return {
        id = id,
        key = key,
        state = f[1],
        by = f[2] or '',
        roles = f[3] or '',
        epoch = number(f[4]) or 0,
        version = number(f[5]) or 0,
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

    log(op, user.id, '', decimal(version), ARGV[4], ARGV[5], ARGV[6])

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

    if had then
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
            local key = BASE .. 'handle:' .. handle

            handles[#handles + 1] = handle

            if key_type(key) == 'hash'
               and redis.call('HGET', key, 'user') == user.id
            then
                keys[#keys + 1] = key
            end
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

    redis.call('HDEL', user.key, 'scopes', 'suspended_by')

    for i = 1, #handles do
        redis.call('SREM', set, handles[i])
    end

    for i = 1, #keys do
        redis.call('DEL', keys[i])
    end

    return done(user, 'delete', 'state', 'deleted', 'roles', '')
end


-- Roles.


local function role_ok(role)
    return #role <= 64 and string.find(role, '^[%w_.:/-]+$')
           and string.find(role, '[%l%d]')
end


-- The grants of a user other than of this role: text, count, was it there.
-- nil when one of them is no grant.
local function grants(user, role)
    local rest, had = {}, false

    if #user.roles > FIELD_MAX then
        return nil
    end

    for grant in string.gmatch(user.roles, '[^ ]+') do
        local name, tail = string.match(grant, '^([^@=]+)(.*)$')

        if not name or not role_ok(name) or #tail > 32
           or not (tail == '' or string.find(tail, '^@%d+$')
                   or string.find(tail, '^=%d+$')
                   or string.find(tail, '^@%d+=%d+$'))
        then
            return nil
        end

        if name == role then
            had = true

        else
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


local function ungrant(user)
    local roles, _, had = grants(user, ARGV[7])

    if not roles then
        return reply(user, 'unreadable', 'roles')
    end

    if not had then
        return reply(user, 'unchanged')
    end

    return done(user, 'ungrant', 'roles', roles)
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


local function accept_store()
    if not fits(META, 'hash') then
        return { 'unreadable', 0, 'meta' }
    end

    if not log_fits() then
        return { 'unreadable', 0, 'log' }
    end

    local store, accepted = read_meta()

    if store and store == accepted then
        return { 'unchanged', 0, store }
    end

    if not store then
        store = ARGV[2]
        redis.call('HSET', META, 'store', store, 'schema', '1')
    end

    redis.call('HSET', META, 'accepted', store)
    log('update', '', '', '0', ARGV[4], ARGV[5], ARGV[6])

    return { 'done', 0, store }
end


-- op = { number of arguments, the op included; function }
local OPS = {
    lookup = { 2, function() return lookup(false) end },
    provision = { 9, function() return lookup(true) end },
    suspend = { 6, function() return change(true, suspend) end },
    resume = { 6, function() return change(false, resume) end },
    revoke = { 6, function() return change(true, revoke) end },
    delete = { 8, function() return change(true, delete) end },
    grant = { 8, function() return change(false, grant) end },
    ungrant = { 7, function() return change(false, ungrant) end },
    accept_store = { 6, accept_store }
}


-- A caller that breaks the contract above gets an error and no change.
local function contract()
    local op = OPS[OP]

    if #KEYS ~= 1 or string.sub(LOG, -5) ~= '}:log' then
        return 'the key must be {<prefix>}:log'
    end

    if not op then
        return 'there is no such operation'
    end

    if #ARGV ~= op[1] then
        return 'wrong number of arguments'
    end

    for i = 1, #ARGV do
        if #ARGV[i] > FIELD_MAX then
            return 'an argument is too long'
        end
    end

    if (OP == 'lookup' or OP == 'provision') and not handle_ok(ARGV[2]) then
        return 'not a handle'
    end

    if OP == 'provision'
       and (not user_id_ok(ARGV[3]) or ARGV[9] == ''
            or #ARGV[9] > STORE_MAX or #ARGV[4] > ISSUER_MAX
            or #ARGV[5] > LABEL_MAX or #ARGV[6] > LABEL_MAX
            or not (ARGV[7] == 'human' or ARGV[7] == 'service'
                    or ARGV[7] == 'application'))
    then
        return 'not a new user'
    end

    if OP == 'accept_store' and (ARGV[2] == '' or #ARGV[2] > STORE_MAX) then
        return 'not a store id'
    end

    return nil
end


local fault = contract()

if fault then
    return redis.error_reply('ERR change.lua: ' .. fault)
end

-- Redis before 7 hides what a command inside a script has answered (READONLY,
-- OOM, NOREPLICAS, ...) behind where it happened: the caller gets it as it was.
local ok, answer = pcall(OPS[OP][2])

if ok then
    return answer
end

local text = type(answer) == 'table' and answer['err'] or tostring(answer)

text = string.gsub(text, '%c', ' ')
text = string.match(text, '%-(%u+ .*)$') or text

if not string.find(text, '^%u+ ') then
    text = 'ERR change.lua: ' .. text
end

return redis.error_reply(text)
