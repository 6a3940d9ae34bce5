package forward_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// sharedRabbit is the one node of the test binary, since a start takes seconds. The first test that needs it starts it, and
// TestMain ends it. Tests that block or kill it are not parallel and leave it as it was.
var sharedRabbit rabbitNode

// rabbitLimit is the largest message that the node takes.
const rabbitLimit = 512 << 10

// rabbitNode is a rabbitmq-server with ports, directories and a name of its own, and with its own epmd, the daemon in which
// Erlang nodes look each other up.
type rabbitNode struct {
	once    sync.Once
	err     error // why it could not be started
	program string
	dir     string
	port    int
	env     []string
	cmd     *exec.Cmd
	shell   io.WriteCloser // of the node's Erlang shell: the node ends when it does, also when the test binary is killed
	ended   chan struct{}
}

// runRabbit starts epmd and the node, and ends epmd behind the node.
const runRabbit = `
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 &
until epmd -names >/dev/null 2>&1; do sleep 0.1; done
"$0"
kill $!
`

const rabbitConfig = `
max_message_size = %d
load_definitions = %s
disk_free_limit.absolute = 1MB
log.file = false
log.console = true
log.console.level = warning
`

// The user reader may write nowhere, and nobody may enter the vhost private.
const rabbitDefinitions = `{
	"vhosts": [{"name": "/"}, {"name": "private"}],
	"users": [
		{"name": "hookgate", "password": "opensesame", "tags": ""},
		{"name": "reader", "password": "opensesame", "tags": ""}
	],
	"permissions": [
		{"user": "hookgate", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
		{"user": "reader", "vhost": "/", "configure": "", "write": "", "read": ".*"}
	]
}`

// started gives the node, running.
func (n *rabbitNode) started(t testing.TB) *rabbitNode {
	t.Helper()
	n.once.Do(func() {
		if n.err = n.prepare(); n.err == nil {
			n.err = n.start()
		}
	})
	if n.err != nil {
		t.Fatal(n.err)
	}
	return n
}

func (n *rabbitNode) prepare() error {
	// Debian's command in PATH changes the user and with it the directories; the one of RabbitMQ itself does not.
	n.program = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	if _, err := os.Stat(n.program); err != nil {
		if n.program, err = exec.LookPath("rabbitmq-server"); err != nil {
			return errors.New("rabbitmq-server is missing from PATH: `make test` installs it")
		}
	}
	dir, err := os.MkdirTemp("", "hookgate-rabbitmq")
	if err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	n.dir, n.port = dir, ports[0]
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		".erlang.cookie":   "hookgate",
		"definitions.json": rabbitDefinitions,
		"rabbitmq.conf":    fmt.Sprintf(rabbitConfig, rabbitLimit, in("definitions.json")),
		"env.conf":         "",
		"plugins":          "[].",
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o400); err != nil {
			return err
		}
	}
	n.env = append(os.Environ(),
		"HOME="+dir,
		"ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT="+strconv.Itoa(ports[1]),
		"RABBITMQ_NODENAME=hookgate"+strconv.Itoa(ports[0])+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+strconv.Itoa(ports[0]),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(ports[2]),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_MNESIA_BASE="+in("mnesia"), "RABBITMQ_LOG_BASE="+in("log"),
		"RABBITMQ_CONFIG_FILE="+in("rabbitmq.conf"), "RABBITMQ_CONF_ENV_FILE="+in("env.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+in("plugins"),
		"RABBITMQ_ALLOW_INPUT=1", // the shell reads from our pipe
	)
	return nil
}

// start runs the node, on what it kept if it ran before, and waits until it takes connections.
func (n *rabbitNode) start() error {
	log, err := os.Create(filepath.Join(n.dir, "output"))
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd = exec.Command("sh", "-c", runRabbit, n.program)
	n.cmd.Env, n.cmd.Stdout, n.cmd.Stderr = n.env, log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that it can be killed together with epmd
	if n.shell, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.ended = make(chan struct{})
	go func() {
		defer close(n.ended)
		_ = n.cmd.Wait()
	}()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := amqp.Dial(n.url())
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
			continue
		case <-n.ended:
		case <-deadline.C:
			n.kill()
		}
		output, _ := os.ReadFile(filepath.Join(n.dir, "output"))
		return fmt.Errorf("rabbitmq-server does not start: %w\n%s", err, output)
	}
}

func (n *rabbitNode) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) }

func (n *rabbitNode) url() string { return rabbitURL(n.addr()) }

func rabbitURL(addr string) string { return "amqp://hookgate:opensesame@" + addr + "/" }

// eval lets the node's shell evaluate an Erlang expression, and waits for it.
func (n *rabbitNode) eval(t testing.TB, expression string) {
	t.Helper()
	done := filepath.Join(n.dir, "evaluated")
	if _, err := fmt.Fprintf(n.shell, "%s, file:write_file(%q, []).\n", expression, done); err != nil {
		t.Fatal(err)
	}
	eventually(t, expression, func() bool { return os.Remove(done) == nil })
}

// kill ends the node and its epmd with SIGKILL.
func (n *rabbitNode) kill() {
	_ = syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL)
	<-n.ended
}

// stop ends what there is, and removes its directory.
func (n *rabbitNode) stop() {
	if n.cmd != nil && n.cmd.Process != nil {
		_ = n.shell.Close()
		select {
		case <-n.ended:
		case <-time.After(10 * time.Second):
			n.kill()
		}
	}
	if n.dir != "" {
		_ = os.RemoveAll(n.dir)
	}
}

// freePorts gives different ones that nobody listens on.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// rabbitChannel is a channel of the test's own.
func rabbitChannel(t testing.TB, n *rabbitNode) *amqp.Channel {
	t.Helper()
	c, err := amqp.Dial(n.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// quorumQueue declares a queue of the test's name, which is deleted behind it.
func quorumQueue(t testing.TB, ch *amqp.Channel) string {
	t.Helper()
	q, err := ch.QueueDeclare(t.Name(), true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ch.QueueDelete(q.Name, false, false, false) })
	return q.Name
}

// taken empties the queue.
func taken(t testing.TB, ch *amqp.Channel, queue string) []amqp.Delivery {
	t.Helper()
	var all []amqp.Delivery
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, d)
	}
}
