--[[
Revoking one token, by the digest of its issuer and name (jti).

    token_revoke <digest> <empty> <actor> <source> <reason>
                 <seconds since 1970 when the token ends, 0: 30 days from now>
        word, 0, until when
]]

local TOKEN_KEPT = 30 * 24 * 3600


local function token_revoke()
    local key = BASE .. 'jti:' .. ARGV[2]
    local time = now()
    local ends = number(ARGV[7])

    if ends == 0 then
        ends = time + TOKEN_KEPT
    end

    if ends <= time then
        return { 'refused', 0, 'expired' }
    end

    if not fits(key, 'string') then
        return { 'unreadable', 0, 'token' }
    end

    if not log_fits() then
        return { 'unreadable', 0, 'log' }
    end

    -- What is revoked for longer already stays so.
    local rest = redis.call('TTL', key)

    if rest == -1 then
        return { 'unchanged', 0, '0' }
    end

    if rest >= ends - time then
        return { 'unchanged', 0, decimal(time + rest) }
    end

    redis.call('SET', key, 'revoked', 'EX', decimal(ends - time))
    log('token_revoke', '', 'jti:' .. ARGV[2], '0', ARGV[4], ARGV[5],
        ARGV[6])

    return { 'done', 0, decimal(ends) }
end


local function not_a_token()
    if #ARGV[2] ~= 43 or not string.find(ARGV[2], '^[%w_-]+$')
       or not number(ARGV[7]) or #ARGV[7] > 12
    then
        return 'not a token'
    end

    return nil
end


OPS.token_revoke = { 7, token_revoke, not_a_token }
