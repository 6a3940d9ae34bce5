#!/usr/bin/env bash
# Three nodes and one Redis on loopback, all with docker/three-nodes.yaml, until Ctrl-C. Everything lives in a folder that
# goes with them. Ports from HOOKGATE_PORT (8080) on: nodes at +0, +10 and +20, their admin pages one above, Redis at +30.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${HOOKGATE_PORT:-8080}
dir=$(mktemp -d)
trap 'trap - EXIT; kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
trap 'exit 0' INT TERM

export SPRINKLR_PSK=${SPRINKLR_PSK:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}
export HOOKGATE_REDIS=redis://127.0.0.1:$((port + 30))/0
go build -o "$dir/hookgate" ./cmd/hookgate
config=$PWD/docker/three-nodes.yaml
redis-server --port $((port + 30)) --bind 127.0.0.1 --dir "$dir" --appendonly yes --appendfsync always --save '' >"$dir/redis.log" &
waiting() { # for a program that must not end meanwhile, because its port is taken, say
  kill -0 $! 2>/dev/null || { echo "$1 does not start; is its port free? HOOKGATE_PORT=18080 chooses others" >&2; exit 1; }
  sleep 0.1
}
until redis-cli -p $((port + 30)) ping >/dev/null 2>&1; do waiting redis-server; done
for n in 0 1 2; do
  mkdir "$dir/node$n"
  at=$((port + 10 * n))
  (cd "$dir/node$n" && exec "$dir/hookgate" serve --config "$config" --listen 127.0.0.1:$at --admin 127.0.0.1:$((at + 1))) &
  until curl -fs "http://127.0.0.1:$((at + 1))/readyz" >/dev/null; do waiting "node $n"; done
done
cat <<TEXT
three nodes take deliveries; to see how they share the work:
  SPRINKLR_PSK=$SPRINKLR_PSK $dir/hookgate emulate sprinklr --to http://127.0.0.1:$((port + 10))/hooks/care --secret env:SPRINKLR_PSK --events 5000 --rate 1000 --duplicate 0.1
  redis-cli -p $((port + 30)) xlen webhooks
  curl -s http://127.0.0.1:$((port + 1))/metrics | grep hookgate_delivered_total
  kill $(jobs -p | tail -1)    # a node: the others take its part over within seconds
TEXT
wait
