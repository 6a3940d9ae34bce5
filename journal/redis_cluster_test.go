package journal_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/journal"
	"github.com/redis/go-redis/v9"
)

// TestR11_RedisSlotMoved moves the slots of all shards from one master to the other and back under load. While a slot moves
// its keys are on both, and a script cannot run on either; callers must notice nothing but a longer wait.
func TestR11_RedisSlotMoved(t *testing.T) {
	t.Parallel()
	nodes := startClusterOf(t, 2)
	j := openRedis(t, nodes[0].clusterURL(), journal.RedisOptions{Shards: 4})
	s := startSender(t, j, 8)
	s.grows(t, 50)
	for range 2 {
		for shard := range 4 {
			moveSlot(t, nodes, "hookgate:{"+strconv.Itoa(shard)+"}:log")
			s.grows(t, 20)
		}
	}
	s.unrefused(t, 2*time.Second)
	s.end()
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[0].addr()}})
	defer c.Close()
	s.checkIn(t, func(stream string) ([]redis.XMessage, error) {
		return c.XRange(context.Background(), stream, "-", "+").Result()
	}, 4)
}

// TestRedisMasterLost kills one of three masters. Its shards come back with its replica, without anybody's help; those of the
// others have never been away.
func TestRedisMasterLost(t *testing.T) {
	t.Parallel()
	nodes := startClusterOf(t, 3, "--cluster-node-timeout", "2000")
	bus := freePort(t)
	replica := startRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000")
	id := nodes[0].do("CLUSTER", "MYID").(string)
	nodes[0].do("CLUSTER", "MEET", "127.0.0.1", replica.port, bus)
	c := replica.client()
	eventually(t, "the replica joins", func() bool { return c.Do(t.Context(), "CLUSTER", "REPLICATE", id).Err() == nil })
	eventually(t, "the replica follows, and who elects it knows it", func() bool {
		knows := func(r *redisServer) bool { return strings.Contains(fmt.Sprint(r.do("CLUSTER", "NODES")), "slave "+id) }
		info := fmt.Sprint(replica.do("CLUSTER", "INFO"))
		return strings.Contains(c.Info(t.Context(), "replication").Val(), "master_link_status:up") && knows(nodes[1]) && knows(nodes[2]) &&
			strings.Contains(info, "cluster_slots_assigned:16384") && strings.Contains(info, "cluster_known_nodes:4")
	})
	const shards = 12
	j := openRedis(t, nodes[1].clusterURL(), journal.RedisOptions{Shards: shards})
	accepted := func(partition, id string) bool {
		req, events := request(start, part{id: id})
		events[0].PartitionKey = partition
		_, err := j.Accept(t.Context(), req, events)
		return err == nil
	}
	for p := range shards * 4 {
		if !accepted(strconv.Itoa(p), "before"+strconv.Itoa(p)) {
			t.Fatal("not accepted before")
		}
	}
	nodes[0].kill()
	var back []string
	for p := range shards * 4 {
		if !accepted(strconv.Itoa(p), "while"+strconv.Itoa(p)) {
			back = append(back, strconv.Itoa(p))
		}
	}
	if len(back) == 0 || len(back) == shards*4 {
		t.Errorf("%d of %d were refused while a third of the Cluster was away", len(back), shards*4)
	}
	for _, p := range back {
		eventually(t, "partition "+p+" is accepted again", func() bool { return accepted(p, "after"+p) })
	}
}

// moveSlot moves the slot of a key from the node that has it to the other one.
func moveSlot(t *testing.T, nodes []*redisServer, key string) {
	t.Helper()
	slot := nodes[0].do("CLUSTER", "KEYSLOT", key).(int64)
	from, to := nodes[0], nodes[1]
	c := from.client()
	if err := c.Exists(t.Context(), key).Err(); err != nil { // MOVED
		from, to = to, from
	}
	idOf := func(r *redisServer) string { return r.do("CLUSTER", "MYID").(string) }
	to.do("CLUSTER", "SETSLOT", slot, "IMPORTING", idOf(from))
	from.do("CLUSTER", "SETSLOT", slot, "MIGRATING", idOf(to))
	before := from.answered("TRYAGAIN") + to.answered("TRYAGAIN")
	eventually(t, "callers meet the slot on its way", func() bool { return from.answered("TRYAGAIN")+to.answered("TRYAGAIN") > before })
	for {
		keys := from.do("CLUSTER", "GETKEYSINSLOT", slot, 20).([]any)
		if len(keys) == 0 {
			break
		}
		from.do(append([]any{"MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS"}, keys...)...)
	}
	to.do("CLUSTER", "SETSLOT", slot, "NODE", idOf(to))
	from.do("CLUSTER", "SETSLOT", slot, "NODE", idOf(to))
}

// TestRedisHistoryOfPart: while a part of the Cluster does not answer, an event of that part is not said to be unknown.
func TestRedisHistoryOfPart(t *testing.T) {
	t.Parallel()
	nodes := startClusterOf(t, 3)
	j := openRedis(t, nodes[0].clusterURL(), journal.RedisOptions{Shards: 12})
	var ids []string
	for p := range 24 {
		req, events := request(start, part{id: strconv.Itoa(p)})
		events[0].PartitionKey = strconv.Itoa(p)
		if _, err := j.Accept(t.Context(), req, events); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, events[0].ID)
	}
	first := nodes[0].do("CLUSTER", "KEYSLOT", "hookgate:{0}:log").(int64) // its answer comes first, and is that there is nothing
	nodes[(first*3/16384+1)%3].kill()
	failed := 0
	for _, id := range ids {
		switch _, ok, err := j.History(t.Context(), id); {
		case err != nil:
			failed++
		case !ok:
			t.Errorf("%s is said to be unknown", id)
		}
	}
	if failed == 0 {
		t.Error("no event was in the part that is away")
	}
}
