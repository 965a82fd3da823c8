--[[
Runs the operation that was asked for.
]]


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
        if #ARGV[i] > (i == op[4] and EXTRA_MAX or FIELD_MAX) then
            return 'an argument is too long'
        end
    end

    return op[3] and op[3]()
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
