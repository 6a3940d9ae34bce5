#!lua flags=allow-oom
-- A heartbeat by the server's clock. KEYS: nodes. ARGV: this node, the milliseconds after which a silent one is dead.
-- Answer: the names of the live ones. One whose last beat lies ahead was heard before the clock was set back.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + ARGV[2], '+inf')
return redis.call('ZRANGE', KEYS[1], 0, -1)
