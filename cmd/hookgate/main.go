// Command hookgate authenticates, dedupes, normalises and forwards third-party webhooks. This package only wires the
// folders together: one file a command, and the program that serve and dev run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/redis/go-redis/v9"
)

func main() {
	tune()
	redis.SetLogger(silent{}) // it would write every failed dial to standard error; the destination's own line says it once
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	hangup := make(chan os.Signal, 1)
	if len(os.Args) > 1 && os.Args[1] == "serve" { // any other command ends with its terminal
		signal.Notify(hangup, syscall.SIGHUP)
	}
	m := &Main{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Env: os.LookupEnv, Now: time.Now, Hangup: hangup}
	code := m.Run(ctx)
	stop()
	os.Exit(code)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// tune sets what the runtime cannot know, unless the environment does. What lives is small, a few tens of megabytes, and
// every delivery allocates, so memory is traded for time. And the journal's writer spends a quarter of its time waiting for
// the disk inside a system call, during which its share of the processors would do nothing: one more keeps all busy.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// The exit codes, so that whoever starts the program knows what to do next.
const (
	exitDone    = 0
	exitFailed  = 1 // the configuration is wrong or something could not be started
	exitUsage   = 2 // the command line is wrong
	exitJournal = 3 // the disk failed under the journal: nothing was acknowledged since; look at the disk, then start again
)

// Main is the whole program as a value: what it would take from the operating system is handed to it, so that a test can
// run it in process.
type Main struct {
	Args           []string
	Stdout, Stderr io.Writer
	Env            func(name string) (string, bool)
	Now            func() time.Time
	Hangup         <-chan os.Signal // asks for the configuration to be read again; may be nil
	Started        func(Addresses)  // told once deliveries are taken; may be nil
}

// Addresses are what the program listens at.
type Addresses struct{ Hooks, Admin, Outbound string }

// commands is the command line.
type commands struct {
	Dev          devCommand          `cmd:"" help:"Run with nothing to set up: five sample sources, made-up secrets, events shown as they pass."`
	Serve        serveCommand        `cmd:"" help:"Take deliveries and forward them, as the configuration says."`
	Check        checkCommand        `cmd:"" help:"Read a configuration and list everything that is wrong with it."`
	Emulate      emulateCommand      `cmd:"" help:"Be a provider: make up events and deliver them, signed, as fast as told and with faults."`
	Prove        proveCommand        `cmd:"" help:"Prove a configuration: send through a gateway of its own, kill what may be killed, count what was lost."`
	Events       eventsCommand       `cmd:"" help:"Look at the events of a running gateway, and send them again."`
	DeadLetters  deadLettersCommand  `cmd:"" help:"Look at what destinations have not taken, and send it again."`
	Quarantine   quarantineCommand   `cmd:"" help:"Look at what could not be read."`
	Failed       failedCommand       `cmd:"" help:"Look at what failed authentication, and judge it again once a secret is mended."`
	FindVerifier findVerifierCommand `cmd:"" name:"find-verifier" help:"Search for the way in which a captured delivery was signed, and print it as configuration."`
	Version      versionCommand      `cmd:"" help:"Print the version."`
}

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

// errSaid ends the program with code 1 after the command has said why.
var errSaid = errors.New("")

// Run parses the command line and runs the command until it is done or ctx ends. It returns the exit code.
func (m *Main) Run(ctx context.Context) int {
	var line commands
	ended := false // by --help, which kong answers itself
	parser, err := kong.New(&line,
		kong.Name("hookgate"),
		kong.Description("The front door for third-party webhooks: it authenticates each delivery, drops what it has already taken, makes the rest durable in one common envelope, and forwards it to your own queues."),
		kong.Writers(m.Stdout, m.Stderr),
		kong.Exit(func(int) { ended = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(m),
	)
	if err != nil {
		fmt.Fprintln(m.Stderr, "hookgate:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(m.Args)
	if ended {
		return exitDone
	}
	if err != nil {
		fmt.Fprintf(m.Stderr, "hookgate: %v; see hookgate --help\n", err)
		return exitUsage
	}
	err = parsed.Run()
	var exit exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		fmt.Fprintln(m.Stderr, "hookgate:", err)
		return exit.code
	case !errors.Is(err, errSaid):
		fmt.Fprintln(m.Stderr, "hookgate:", err)
	}
	return exitFailed
}
