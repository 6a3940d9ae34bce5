-- Dedupes and appends events of one request in one shard. A script has no rollback: whatever fails in the middle leaves what
-- stands before it. So the entry comes first and its marker after; an append that fails leaves nothing marked.
-- Every path writes, a duplicate's too: WAIT and WAITAOF cover what their own connection has written, and nothing else.
--
-- KEYS: log, epoch, quarantine, raw request; then of every event its marker (in the compact form its bucket) and its copies.
-- ARGV: the call, the raw head, the raw body, the raw request's name; then of every event what it is, its head, its payload
-- where that is no part of the raw body, and the reason where it is quarantined.
-- The answer has six bytes of every event: class and conflict in one, the sequence number in five.

local received, token, again, alone, keep, compact, cut, rawTTL = struct.unpack('>I6c6BBBBI2I6', ARGV[1])
again, alone, compact = again == 1, alone == 1, compact == 1

local slack = 600000 -- ms that a marker outlives its window: the clocks of the nodes and of the server differ
local due            -- in the compact form: when the bucket is swept next

local function find(key, id)
  if not compact then
    return redis.call('GET', key)
  end
  local found = redis.call('HMGET', key, id, '')
  due = found[2]
  return found[1]
end

-- sweep deletes what has ended in a bucket. It reads the whole bucket, and so it waits for an eighth of a window.
local function sweep(key, wait)
  local all, ended = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    if all[i] ~= '' and struct.unpack('>I6', all[i + 1], 6) + slack <= received then
      ended[#ended + 1] = all[i]
    end
  end
  for i = 1, #ended, 500 do
    redis.call('HDEL', key, unpack(ended, i, math.min(i + 499, #ended)))
  end
  redis.call('HSET', key, '', struct.pack('>I6', received + wait))
end

-- mark writes the marker of a new event.
local function mark(key, id, value, ends)
  local ttl = math.max(ends - received, 0) + slack
  if not compact then
    redis.call('SET', key, value, 'PX', ttl)
    return
  end
  local wait = math.floor(ttl / 8)
  if not due then
    redis.call('HSET', key, id, value, '', struct.pack('>I6', received + wait))
    redis.call('PEXPIRE', key, ttl)
    return
  end
  redis.call('HSET', key, id, value)
  redis.call('PEXPIRE', key, ttl, 'GT')
  local at = struct.unpack('>I6', due)
  if at <= received or at > received + ttl then -- or a clock was wrong when it was set
    sweep(key, wait)
  end
end

-- remark writes the marker of a known event, changed or not, and leaves its end.
local function remark(key, id, value)
  if compact then
    redis.call('HSET', key, id, value)
  else
    redis.call('SET', key, value, 'KEEPTTL')
  end
end

-- pack leaves out the numbers that nearly every marker has.
local function pack(seq, ends, digest, by, first, highest, count, seen)
  local value = struct.pack('>I5I6c8c8', seq, ends, digest, by)
  if first == 1 and count == 1 then
    return value
  end
  return value .. struct.pack('>I4I4I4', first, highest, count) .. seen
end

-- with adds an attempt to those seen, a bit each; of attempts above 63 only the highest is known.
local function with(seen, attempt)
  if attempt > 63 then
    return seen
  end
  local at = math.floor((attempt - 1) / 8) + 1
  seen = seen .. string.rep('\0', at - #seen)
  local byte = bit.bor(string.byte(seen, at), 2 ^ ((attempt - 1) % 8))
  return string.sub(seen, 1, at - 1) .. string.char(byte) .. string.sub(seen, at + 1)
end

local function has(seen, attempt)
  if attempt > 63 then
    return false
  end
  local byte = string.byte(seen, math.floor((attempt - 1) / 8) + 1) or 0
  return bit.band(byte, 2 ^ ((attempt - 1) % 8)) ~= 0
end

local kept = false
local function keepRaw()
  if not kept then
    redis.call('HSET', KEYS[4], 'q', ARGV[2], 'b', ARGV[3])
    if rawTTL > 0 then
      redis.call('PEXPIRE', KEYS[4], rawTTL)
    end
    kept = true
  end
end

local function append(key, head, data, off, len, reason)
  local fields
  if alone and data then
    fields = {'r', received, 'h', head, 'q', ARGV[2], 'b', ARGV[3], 'd', data}
  elseif alone then
    fields = {'r', received, 'h', head, 'q', ARGV[2], 'b', ARGV[3], 'o', off, 'l', len}
  else
    fields = {'r', received, 'h', head, 'd', data, 'w', ARGV[4]}
  end
  if reason then
    fields[#fields + 1] = 'x'
    fields[#fields + 1] = reason
  end
  return tonumber(string.sub(redis.call('XADD', key, '0-*', unpack(fields)), 3))
end

-- firstClass and the other classes count as hookgate.Classes() does, from 0.
local function firstClass(attempt)
  return attempt > 1 and 1 or 0
end

if keep == 2 then -- parts in other shards refer to it, new ones perhaps
  keepRaw()
end
local out, a = {}, 5
for i = 1, (#KEYS - 4) / 2 do
  local key, copies = KEYS[2 * i + 3], KEYS[2 * i + 4]
  local id = string.sub(copies, cut)
  local attempt, ends, digest, hasData, hasReason, off, len = struct.unpack('>I4I6c8BBI4I4', ARGV[a])
  local head, data, reason = ARGV[a + 1], nil, nil
  a = a + 2
  if hasData == 1 then
    data, a = ARGV[a], a + 1
  end
  if hasReason == 1 then
    reason, a = ARGV[a], a + 1
  end
  local own = token .. struct.pack('>I2', i)
  local class, conflict = nil, 0
  local value, seq, till, was, by = find(key, id), 0, 0, nil, nil
  local first, highest, count, seen = 1, 1, 1, '\1'
  if value then
    seq, till, was, by = struct.unpack('>I5I6c8c8', value)
    if #value > 27 then
      first, highest, count = struct.unpack('>I4I4I4', value, 28)
      seen = string.sub(value, 40)
    end
  end
  if value and by == own then -- we were here before, and our answer was lost
    class = firstClass(first)
    if keep == 1 then
      keepRaw()
    end
    remark(key, id, value)
  elseif value and received < till then
    if again then -- this copy may have been counted before
      for _, c in ipairs(redis.call('LRANGE', copies, 0, -1)) do
        if string.sub(c, -8) == own then
          class, conflict = string.byte(c, 11, 12)
        end
      end
    end
    if not class then
      if attempt == highest or has(seen, attempt) then
        class = 2
      elseif attempt > highest then
        class = 3
      else
        class = 4
      end
      if attempt == first and digest ~= was then
        conflict = 1
      end
      highest, seen, count = math.max(highest, attempt), with(seen, attempt), count + 1
      value = pack(seq, till, was, by, first, highest, count, seen)
      if count <= 64 then
        redis.call('RPUSH', copies, struct.pack('>I6I4BBc8c8', received, attempt, class, conflict, digest, own))
        redis.call('PEXPIRE', copies, math.max(till - received, 0) + slack)
      end
    end
    remark(key, id, value)
    if seq > 0 and #redis.call('XRANGE', KEYS[1], '0-' .. seq, '0-' .. seq) == 0 then
      seq = 0 -- retention has taken the event, and only its marker is left
    end
  else
    if keep == 1 then
      keepRaw()
    end
    if reason then
      append(KEYS[3], head, data, off, len, reason)
      seq = 0
    else
      seq = append(KEYS[1], head, data, off, len)
      if seq == 1 then
        -- Another text each time that the journal is emptied. The word tells enter.lua that no destination was entered yet.
        redis.call('SET', KEYS[2], 'accepted:' .. token, 'NX')
      end
    end
    mark(key, id, pack(seq, ends, digest, own, attempt, attempt, 1, with('', attempt)), ends)
    if value then
      redis.call('DEL', copies)
    end
    class = firstClass(attempt)
  end
  out[i] = struct.pack('>BI5', class + 8 * conflict, seq)
end
return table.concat(out)
