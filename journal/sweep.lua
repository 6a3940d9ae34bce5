-- Takes the oldest entries that may go, one step of a walk.
-- KEYS: stream, cursors, seen, then parked, dead and asked of each destination that the shard knows.
-- ARGV: the number to begin at, how many to look at, the time of receipt in ms before which an entry is aged, the part of
-- the server's memory in percent from which delivered entries go before their time (0: never), the ms after which a
-- destination that no node has named no longer counts, and the destinations. Without destinations age alone decides.
-- Answer: how many went, the number to go on at (0: all from the beginning), 1 if there may be more; or -1, when the
-- destinations have changed.
local from, count, aged, percent, forgotten = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local limit, held = math.huge, {}
if #KEYS > 1 then
  if redis.call('HLEN', KEYS[2]) ~= #ARGV - 5 then return {-1, 0, 0} end
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  for i = 6, #ARGV do
    local cursor, seen = redis.call('HGET', KEYS[2], ARGV[i]), redis.call('HGET', KEYS[3], ARGV[i])
    if not cursor then return {-1, 0, 0} end
    held[i - 5] = seen and now - seen < forgotten
    if held[i - 5] then limit = math.min(limit, tonumber(cursor)) end
  end
end
local pressed = false
if percent > 0 then
  local info = redis.call('INFO', 'memory')
  local used, most = tonumber(string.match(info, '\nused_memory:(%d+)')), tonumber(string.match(info, '\nmaxmemory:(%d+)'))
  pressed = used and most and most > 0 and used * 100 > most * percent
end

-- What may go for its age, up to the first that must stay.
local entries = redis.call('XRANGE', KEYS[1], '0-' .. from, '+', 'COUNT', count)
local seqs, isAged, ended = {}, {}, #entries < count
for i = 1, #entries do
  local seq, received = tonumber(string.match(entries[i][1], '%-(%d+)$')), 0
  for k = 1, #entries[i][2], 2 do
    if entries[i][2][k] == 'r' then received = tonumber(entries[i][2][k + 1]) end
  end
  local old = received < aged
  if seq > limit or not (old or pressed) then
    ended = true
    break
  end
  seqs[i], isAged[i] = seq, old
end
if #seqs == 0 then return {0, tonumber(from), 0} end

-- What is still to be delivered is spared, and so is a dead letter that is not aged.
local lo, hi, spared = seqs[1], seqs[#seqs], {}
for i = 1, #held do
  for k = 0, 2 do
    if held[i] then
      local list = redis.call('ZRANGEBYSCORE', KEYS[1 + 3 * i + k], lo, hi, 'WITHSCORES')
      for m = 2, #list, 2 do
        local seq = tonumber(list[m])
        if k ~= 1 then spared[seq] = 'waits' elseif not spared[seq] then spared[seq] = 'dead' end
      end
    end
  end
end
local gone, anySpared = {}, false
for i = 1, #seqs do
  local why = spared[seqs[i]]
  if why == 'waits' or (why == 'dead' and not isAged[i]) then anySpared = true else gone[#gone + 1] = seqs[i] end
end
if #gone > 0 then
  if from == '0' and not anySpared then
    redis.call('XTRIM', KEYS[1], 'MINID', string.format('0-%.0f', hi + 1))
  else
    local ids = {}
    for i = 1, #gone do ids[i] = string.format('0-%.0f', gone[i]) end
    redis.call('XDEL', KEYS[1], unpack(ids))
  end
  local a = 1
  while a <= #gone do -- a run of numbers, none of which was spared
    local b = a
    while b < #gone and gone[b + 1] == gone[b] + 1 do b = b + 1 end
    for k = 4, #KEYS do redis.call('ZREMRANGEBYSCORE', KEYS[k], gone[a], gone[b]) end
    a = b + 1
  end
end
local nextFrom = hi + 1
if from == '0' and not anySpared then nextFrom = 0 end
return {#gone, nextFrom, ended and 0 or 1}
