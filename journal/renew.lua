#!lua flags=allow-oom
-- Renews a lease. KEYS: lease, epoch. ARGV: token, milliseconds, and what the holder believes to stand there.
-- Answer: 1 renewed, 0 it is another's or gone, 2 the server is not the one that gave it, or the holder has not heard yet that
-- it is (see adopt.lua); and the epoch.
local lease = redis.call('GET', KEYS[1])
local epoch = redis.call('GET', KEYS[2]) or ''
if not lease or string.sub(lease, 1, #ARGV[1] + 1) ~= ARGV[1] .. '|' then return {0, epoch} end
local run = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
if lease ~= ARGV[1] .. '|' .. run or lease ~= ARGV[3] then return {2, epoch} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {1, epoch}
