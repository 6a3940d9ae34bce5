#!lua flags=allow-oom
-- Makes destinations known to a shard and notes that a node has them configured.
-- KEYS: cursors, seen, epoch, log, reset, lease. ARGV: the epoch that the node knows or '', a new one, destinations.
-- Answer: the epoch, and 1 if somebody has emptied the shard: then what the node's destinations were to get begins at 0 and
-- not at the present end. It shows in an epoch that is not the one that the node knew, or that began with an accepted event
-- and not here. A node that started after that may have entered them at the end before; the first node that knows better
-- corrects it, and takes the lease from whoever went by it.
local epoch = redis.call('GET', KEYS[3])
if not epoch then
  epoch = ARGV[2]
  redis.call('SET', KEYS[3], epoch)
end
local emptied = ARGV[1] ~= '' and ARGV[1] ~= epoch
local first = (emptied or string.sub(epoch, 1, 9) == 'accepted:') and redis.call('GET', KEYS[5]) ~= epoch
if first then
  emptied = true
  redis.call('SET', KEYS[5], epoch)
  redis.call('DEL', KEYS[6])
end
local place = '0'
if not emptied and redis.call('EXISTS', KEYS[4]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[4])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then place = string.match(info[i + 1], '%-(%d+)$') end
  end
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 3, #ARGV do
  redis.call(first and 'HSET' or 'HSETNX', KEYS[1], ARGV[i], place)
  local before = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or 0)
  if math.abs(now - before) > 60000 then redis.call('HSET', KEYS[2], ARGV[i], now) end
end
return {epoch, emptied and 1 or 0}
