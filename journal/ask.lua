-- Asks for replays. KEYS: cursors, asked. ARGV: destination, the most that may wait, then number and text of each.
-- Answer: how many wait now, -1 for an unknown destination, -2 when there is no room.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return -1 end
if redis.call('ZCARD', KEYS[2]) + (#ARGV - 2) / 2 > tonumber(ARGV[2]) then return -2 end
for i = 3, #ARGV, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[2], ARGV[i], ARGV[i])
  redis.call('ZADD', KEYS[2], ARGV[i], ARGV[i + 1])
end
return redis.call('ZCARD', KEYS[2])
