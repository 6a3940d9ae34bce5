-- Tells, behind reads, whether they went to the server that gave the lease, while it lasts.
-- KEYS: lease. ARGV: what the holder believes to stand there.
local run = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
if redis.call('GET', KEYS[1]) == ARGV[1] and string.sub(ARGV[1], -#run - 1) == '|' .. run then return 1 end
return 0
