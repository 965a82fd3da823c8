--[[
The one look-up of a handle and the one writer of users: what its parts share.

The files of this directory become one script, in the order of their names.
Each says which operations it adds to OPS; the last one runs the one that was
asked for.

Called by the module and by the command alike, always as

    EVALSHA <sha> 1 {<prefix>}:log <op> <argument> ...

Every other key is made from that one key, in the same hash slot. Whatever
is written is read and checked first, so that an error leaves nothing half
made; then it is written; then one entry is added to the log. Strings come as
arguments and are never made part of a command. "lookup" writes nothing and
works on a read-only replica.
]]

local LOG = KEYS[1]
local BASE = string.sub(LOG, 1, -4)
local USERS = BASE .. 'users'
local META = BASE .. 'meta'

local OP = ARGV[1]

-- OPS.<op> = { number of arguments, the op included; the function; and, where
-- there is more to ask of a caller than that, a function that returns what is
-- wrong with the arguments or nil; the argument that may be EXTRA_MAX long }
local OPS = {}

local LOG_LENGTH = 1000000
local FIELD_MAX = 4096
local EXTRA_MAX = 65536     -- what a directory says and nobody here reads
local STORE_MAX = 64
local USER_MAX = 6000       -- name, issuer, subject, roles, scopes together
local ROLES_MAX = 256
local HANDLES_MAX = 10000
local GROUPS_MAX = 256      -- of one user
local GROUPS_LENGTH = GROUPS_MAX * 25
local LABEL_MAX = 255       -- of a new user: name, subject
local NAME_MAX = 1024       -- user_name, external_id
local ISSUER_MAX = 1024

-- The order of PU_USER_FIELDS and PU_HANDLE_FIELDS in pu_user.h.
local USER_FIELDS = {
    'name', 'type', 'state', 'issuer', 'subject', 'roles', 'scopes',
    'epoch', 'expires', 'version'
}
local HANDLE_FIELDS = {
    'user', 'id', 'state', 'not_before', 'expires', 'roles', 'scopes',
    'networks'
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


-- Of a group of a directory.
local function group_id_ok(id)
    return id and #id == 24 and string.find(id, '^g_[%w_-]+$')
end


local function handle_ok(handle)
    if #handle > 48 then
        return false
    end

    local kind, digest = string.match(handle, '^(%l+):([%w_-]+)$')

    return kind and #digest == 43
           and (kind == 'sub' or kind == 'key' or kind == 'cert')
end


-- What a "sub" handle is called in public: its kind and 16 characters.
local function public_id(handle)
    return string.sub(handle, 1, 20)
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
local function log_may_grow()
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


local log_known

-- Asked for each user that one call changes, and true for the whole call.
local function log_fits()
    if log_known == nil then
        log_known = log_may_grow()
    end

    return log_known
end


-- The first change names the store: a loss cannot be noticed without. Called
-- after a write only, and never in the way of one. No caller brings an id for
-- this; Redis's microsecond and the id of the user are as good as random.
local function name_store(user)
    local found = key_type(META)

    if found ~= 'none' and found ~= 'hash' or read_meta() then
        return
    end

    local id = redis.sha1hex(table.concat(redis.call('TIME'), '.') .. user)

    redis.call('HSET', META, 'store', id, 'schema', '1')
end


local function log(op, user, handle, version, actor, source, reason)
    name_store(user)
    redis.call('XADD', LOG, 'MAXLEN', '~', LOG_LENGTH, '*', 'op', op,
               'user', user, 'handle', handle, 'version', version,
               'actor', actor, 'source', source, 'reason', reason)
end
