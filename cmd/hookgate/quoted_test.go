package main

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestL02_AServerThatQuotesThePassword: what a queue answers may quote what it was sent.
func TestL02_AServerThatQuotesThePassword(t *testing.T) {
	t.Parallel()
	const canary = "canary-oldredis-0f1e2d3c"
	address := oldRedis(t)
	config := scenario(filepath.Join(t.TempDir(), "j.db"), "  - {name: events, type: redis-stream, url: env:OLD_REDIS, stream: events}\n")
	r := serve(t, config, func(m *Main) {
		m.Env = func(name string) (string, bool) {
			if name == "OLD_REDIS" {
				return "redis://gate:" + canary + "@" + address + "/0", true
			}
			return scenarioEnv(name)
		}
	})
	if a := newSender(t, r.Hooks).deliver(t.Context(), caseBody(1, 1)); a.outcome != "accepted" {
		t.Fatal(a)
	}
	eventually(t, "the destination fails", func() (bool, string) {
		page := r.get(t, "/metrics")
		return !strings.Contains(page, `hookgate_delivery_failures_total{destination="events"} 0`+"\n"), page
	})
	r.stop()
	if strings.Contains(r.stderr.String(), canary) {
		t.Errorf("the password is in the log:\n%s", r.stderr)
	}
}

// oldRedis answers everything as a Redis before version 6 answers what it does not know, such as HELLO: it quotes the
// arguments, and one of them is the password.
func oldRedis(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				var args []string
				in, left := bufio.NewScanner(conn), 0
				for in.Scan() {
					switch line := in.Text(); {
					case strings.HasPrefix(line, "*"):
						left, _ = strconv.Atoi(line[1:])
						args = nil
						continue
					case strings.HasPrefix(line, "$"):
						continue
					default:
						args = append(args, line)
					}
					if len(args) == left {
						fmt.Fprintf(conn, "-ERR unknown command `%s`, with args beginning with: `%s`\r\n", args[0], strings.Join(args[1:], "`, `"))
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		conns.Wait()
	})
	return l.Addr().String()
}
