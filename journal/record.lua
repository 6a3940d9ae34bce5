#!lua flags=allow-oom
-- Records a step of a destination.
-- KEYS: lease, cursors, parked, dead, asked. ARGV: token, destination, cursor, how many are parked, for each of those its
-- number, its text, 1 if it is dead and 1 if it is replayed; then the numbers of those that are done.
-- Answer: 1 recorded, 0 the lease is another's, 2 the server is not the one that gave the lease, -1 unknown destination.
local lease = redis.call('GET', KEYS[1])
if not lease or string.sub(lease, 1, #ARGV[1] + 1) ~= ARGV[1] .. '|' then return 0 end
local run = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
if lease ~= ARGV[1] .. '|' .. run then return 2 end
local cursor = redis.call('HGET', KEYS[2], ARGV[2])
if not cursor then return -1 end
if tonumber(ARGV[3]) > tonumber(cursor) then redis.call('HSET', KEYS[2], ARGV[2], ARGV[3]) end
local at = 5
for _ = 1, tonumber(ARGV[4]) do
  local seq, text, dead, replayed = ARGV[at], ARGV[at + 1], ARGV[at + 2] == '1', ARGV[at + 3] == '1'
  redis.call('ZREMRANGEBYSCORE', KEYS[3], seq, seq)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], seq, seq)
  if replayed then redis.call('ZREMRANGEBYSCORE', KEYS[5], seq, seq) end
  redis.call('ZADD', dead and KEYS[4] or KEYS[3], seq, text)
  at = at + 4
end
for i = at, #ARGV do
  for k = 3, 5 do redis.call('ZREMRANGEBYSCORE', KEYS[k], ARGV[i], ARGV[i]) end
end
return 1
