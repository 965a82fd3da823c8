--[[
The store's own id.

    accept_store <new store id> <empty> <actor> <source> <reason>
        word, 0, detail
]]


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


local function not_a_store_id()
    if ARGV[2] == '' or #ARGV[2] > STORE_MAX then
        return 'not a store id'
    end

    return nil
end


OPS.accept_store = { 6, accept_store, not_a_store_id }
