--[[
What a provider says has happened to one of its people: found, done and
remembered in one step, so that what was not done may be sent again and what
was done is not done twice.

    event <handle or empty> <name:digest, external:digest or empty>
          <actor> <source> <reason>
          <digest of user_name or empty> <of external_id or empty>
          <suspend, resume, revoke or delete>
          <digest of the event's name> <seconds it is remembered>
          <a random word of this attempt> <the issuer's url>
          <that user_name> <that external_id> <when it happened>
        word, version, detail, user_name, external_id

Whose handle it is, else who has this user_name or external_id and either no
identity yet or one of this issuer. "refused" with "seen": it was remembered
already, and by another attempt. "conflict": a user who is to be deleted has
these names: ask again with their digests.
]]

local EVENT_KEPT = 4 * 24 * 3600


local function event_user()
    local word, h = 'none'

    if ARGV[2] ~= '' then
        word, h = find(ARGV[2])
    end

    if word ~= 'none' or ARGV[3] == '' then
        return word, h and h[1]
    end

    local key = BASE .. ARGV[3]
    local id = key_type(key) == 'string' and redis.call('GET', key)

    if not user_id_ok(id) then
        return 'none'
    end

    local user = BASE .. 'user:' .. id
    local issuer = key_type(user) == 'hash'
                   and redis.call('HMGET', user, 'issuer')[1] or ''

    if issuer ~= '' and issuer ~= ARGV[13] then
        return 'none'
    end

    return 'found', id
end


-- When an event has last said that the account is disabled.
local function disabled_at(user)
    return number(redis.call('HMGET', user.key, 'disabled_at')[1]) or 0
end


-- An account that was disabled later than this stays so: events may come in
-- another order than that in which they happened.
local function event_resume(user)
    if disabled_at(user) > number(ARGV[16]) then
        return reply(user, 'unchanged', 'late')
    end

    return resume(user)
end


local function event_suspend(user)
    local latest = disabled_at(user)
    local answer = suspend(user)

    if answer[1] ~= 'refused' and number(ARGV[16]) > latest then
        redis.call('HSET', user.key, 'disabled_at', ARGV[16])
    end

    return answer
end


local function event_delete(user)
    local names = redis.call('HMGET', user.key, 'user_name', 'external_id')

    if user.state ~= 'deleted'
       and ((names[1] or '') ~= ARGV[14] or (names[2] or '') ~= ARGV[15])
    then
        local answer = reply(user, 'conflict', 'names')

        answer[4], answer[5] = names[1] or '', names[2] or ''
        return answer
    end

    return delete(user)
end


local EVENTS = {
    suspend = event_suspend,
    resume = event_resume,
    revoke = revoke,
    delete = event_delete
}


local function event_done(id)
    local user, word, detail = open(id)

    if not user then
        return { word, 0, detail }
    end

    if user.broken and ARGV[9] == 'resume' then
        return reply(user, 'unreadable', 'user')
    end

    return EVENTS[ARGV[9]](user)
end


local function event()
    local key = BASE .. 'jti:' .. ARGV[10]

    if not fits(key, 'string') then
        return { 'unreadable', 0, 'token' }
    end

    local seen = redis.call('GET', key)

    if seen == ARGV[12] then
        return { 'unchanged', 0, 'again' }
    end

    if seen then
        return { 'refused', 0, 'seen' }
    end

    local word, id = event_user()
    local answer

    if word == 'none' then
        answer = { 'not_found', 0, '' }

    elseif word == 'found' then
        answer = event_done(id)

    else
        answer = { 'unreadable', 0, 'handle' }
    end

    if answer[1] ~= 'unreadable' and answer[1] ~= 'conflict'
       and answer[3] ~= 'handles'
    then
        redis.call('SET', key, ARGV[12], 'EX', ARGV[11])
    end

    return answer
end


local function not_an_event()
    local kept = number(ARGV[11])
    local index = string.match(ARGV[3], '^name:(.*)$')
                  or string.match(ARGV[3], '^external:(.*)$')

    if not (ARGV[2] == ''
            or handle_ok(ARGV[2]) and string.sub(ARGV[2], 1, 4) == 'sub:')
       or not (ARGV[3] == '' or index and digest_ok(index, '*'))
       or not digest_ok(ARGV[7], ARGV[14])
       or not digest_ok(ARGV[8], ARGV[15])
       or not EVENTS[ARGV[9]] or not digest_ok(ARGV[10], '*')
       or not kept or kept == 0 or kept > EVENT_KEPT
       or ARGV[12] == '' or #ARGV[12] > STORE_MAX or not number(ARGV[16])
    then
        return 'not an event'
    end

    return nil
end


OPS.event = { 16, event, not_an_event }
