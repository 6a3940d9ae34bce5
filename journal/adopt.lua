#!lua flags=allow-oom
-- Lets a holder go on after the server was started again or another one was promoted. Such a server may have lost the
-- newest entries and given their numbers to others, which a holder that has read the lost ones would pass over. So the
-- newest that it has read must stand where it stood.
-- KEYS: lease, log. ARGV: token, milliseconds, the highest number that was read, and the text that marks it or ''.
-- Answer: the new lease; '' when the lease is another's or gone; or nothing when something is missing, and then it is free.
local lease = redis.call('GET', KEYS[1])
if not lease or string.sub(lease, 1, #ARGV[1] + 1) ~= ARGV[1] .. '|' then return '' end
local last, first = 0, math.huge
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '%-(%d+)$')) end
    if info[i] == 'first-entry' and info[i + 1] then first = tonumber(string.match(info[i + 1][1], '%-(%d+)$')) end
  end
end
local number = tonumber(ARGV[3])
local same = number <= last
if same and ARGV[4] ~= '' then
  local entry = redis.call('XRANGE', KEYS[2], '0-' .. ARGV[3], '0-' .. ARGV[3])[1]
  if entry then
    local received, head = '', ''
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'r' then received = entry[2][i + 1] end
      if entry[2][i] == 'h' then head = entry[2][i + 1] end
    end
    same = received .. string.sub(head, 1, 64) == ARGV[4]
  else
    same = number < first -- retention has taken it
  end
end
if not same then
  redis.call('DEL', KEYS[1])
  return false
end
local run = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
redis.call('SET', KEYS[1], ARGV[1] .. '|' .. run, 'PX', ARGV[2])
return ARGV[1] .. '|' .. run
