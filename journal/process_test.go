package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

const childVariable = "HOOKGATE_JOURNAL_TEST_CHILD"

// childMain is the life of a child process: it accepts without end and prints what was acknowledged.
func childMain() bool {
	value := os.Getenv(childVariable)
	if value == "" {
		return false
	}
	if url, ok := strings.CutPrefix(value, "redis|"); ok {
		redisChild(url)
		return true
	}
	path, from, _ := strings.Cut(value, "|")
	j, err := journal.OpenSQLite(path, journal.Options{Destinations: []string{"d"}})
	if err != nil {
		fmt.Println("error", err)
		return true
	}
	base, _ := strconv.Atoi(from)
	lines := make(chan string, 64)
	for w := range 8 {
		go func() {
			for i := base + w; ; i += 8 {
				req, events := request(time.Now(), part{id: strconv.Itoa(i), data: "body " + strconv.Itoa(i)})
				if results, err := j.Accept(context.Background(), req, events); err == nil {
					lines <- fmt.Sprintf("%d %d\n", i, results[0].Seq)
				}
			}
		}()
	}
	go func() {
		for after := int64(0); ; {
			entries, err := j.Read(context.Background(), after, 100)
			if err != nil {
				return
			}
			after = entries[len(entries)-1].Seq
			_ = j.Record(context.Background(), "d", hookgate.Step{Cursor: after})
		}
	}()
	for line := range lines {
		_, _ = os.Stdout.WriteString(line) // at once: a buffer would die with us
	}
	return true
}

func child(t *testing.T, path string, from int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVariable+"="+path+"|"+strconv.Itoa(from))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestR01_KillUnderLoad kills the process at some point and demands every acknowledged event, in one gapless row.
func TestR01_KillUnderLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	acknowledged := map[int64]string{}
	for round := range 5 {
		cmd, lines := child(t, path, round*1_000_000)
		for n := 0; lines.Scan(); n++ {
			var i int
			var seq int64
			if _, err := fmt.Sscanf(lines.Text(), "%d %d", &i, &seq); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			acknowledged[seq] = "body " + strconv.Itoa(i)
			if n == 40+30*round {
				_ = cmd.Process.Kill() // what it still prints counts too
			}
		}
		_ = cmd.Wait() // it was killed
	}
	j, err := journal.OpenSQLite(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	stats := j.Stats(t.Context())
	if stats.Missing != 0 {
		t.Errorf("%d are missing", stats.Missing)
	}
	got := map[int64]string{}
	for last := int64(0); last < stats.Last; {
		entries, err := j.Read(t.Context(), last, 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Seq != last+1 {
				t.Fatalf("%d follows %d", e.Seq, last)
			}
			last = e.Seq
			got[e.Seq] = string(e.Event.Data)
		}
	}
	for seq, want := range acknowledged {
		if got[seq] != want {
			t.Errorf("%d: %q was acknowledged, %q is there", seq, want, got[seq])
		}
	}
	t.Logf("%d acknowledged, %d kept", len(acknowledged), len(got))
}

// TestSecondProcess demands that a journal in use is refused, and free again when its owner was killed.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	cmd, lines := child(t, path, 0)
	if !lines.Scan() {
		t.Fatal("the child says nothing")
	}
	_, err := journal.OpenSQLite(path, journal.Options{})
	if err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("a second process: %v", err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.OpenSQLite(link, journal.Options{}); err == nil {
		t.Error("another name of the same file was accepted")
	}
	_ = cmd.Process.Kill()
	for lines.Scan() { // until the pipe ends, and with it the process
	}
	_ = cmd.Wait() // it was killed
	j, err := journal.OpenSQLite(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
}
