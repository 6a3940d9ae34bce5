#!lua flags=allow-oom
-- Takes a free lease. KEYS: lease, epoch, log. ARGV: token, milliseconds.
-- Answer: nothing if it is not free; else the lease, the epoch, the highest number, and the text that marks its entry if it
-- is there. The lease names the life of the server that gave it, so that it is worth nothing at another one.
local run = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
local lease = ARGV[1] .. '|' .. run
if not redis.call('SET', KEYS[1], lease, 'NX', 'PX', ARGV[2]) then
  if redis.call('GET', KEYS[1]) ~= lease then return false end
  redis.call('PEXPIRE', KEYS[1], ARGV[2]) -- the same claim again, whose answer was lost
end
local last, text = '0', ''
if redis.call('EXISTS', KEYS[3]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[3])
  local entry
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
    if info[i] == 'last-entry' then entry = info[i + 1] end
  end
  if entry and entry[1] == last then
    local received, head = '', ''
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'r' then received = entry[2][i + 1] end
      if entry[2][i] == 'h' then head = entry[2][i + 1] end
    end
    text = received .. string.sub(head, 1, 64)
  end
  last = string.match(last, '%-(%d+)$')
end
return {lease, redis.call('GET', KEYS[2]) or '', last, text}
