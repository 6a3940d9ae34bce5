package normalize

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

const (
	maxPlaces = 16  // in one list
	maxPlace  = 256 // bytes
	maxWindow = 366 * 24 * time.Hour
)

// place is where a value stands: a header, or a dotted path in the body.
type place struct{ header, path string }

// declaredPlaces is a declaration's read, compiled.
type declaredPlaces struct {
	event                                                  [][]place // the parts of the name, each with alternatives
	id, nativeID, time, subject, entityType, tenant, reply []place
	form                                                   string
}

// CheckDeclaration judges how a declaration reads. The error is a hookgate.Problems whose fields lie below the declaration.
func CheckDeclaration(d hookgate.Declaration) error {
	_, problems := compileRead(&d)
	return problems.Err()
}

func compileRead(d *hookgate.Declaration) (c declaredPlaces, problems hookgate.Problems) {
	r := d.Read
	for _, list := range []struct {
		name string
		from []string
		to   *[]place
	}{
		{"id", r.ID, &c.id}, {"native_id", r.NativeID, &c.nativeID}, {"time", r.Time, &c.time}, {"subject", r.Subject, &c.subject},
		{"entitytype", r.EntityType, &c.entityType}, {"tenant", r.Tenant, &c.tenant}, {"reply", r.Reply, &c.reply},
	} {
		for i, text := range list.from {
			field := fmt.Sprintf("read.%s[%d]", list.name, i)
			p, wrong := compilePlace(text)
			switch {
			case wrong != "":
				problems.Add(field, placeHint, "%s", wrong)
			case list.name == "id" && p.header != "" && (d.ID == "" || p.header != http.CanonicalHeaderKey(d.ID)):
				problems.Add(field, "name a member of the body, or leave id out: the digest of the body names the event then",
					"the signature does not cover this header, so that anybody who has seen a delivery could make it a new event")
			case list.name == "reply" && p.header != "":
				problems.Add(field, "name a member of the body", "what is answered must come from what is signed")
			}
			*list.to = append(*list.to, p)
		}
		problems = append(problems, tooMany(list.name, len(list.from))...)
	}
	problems = append(problems, tooMany("event", len(r.Event))...)
	for i, text := range r.Event {
		var alternatives []place
		for one := range strings.SplitSeq(text, "|") {
			p, wrong := compilePlace(one)
			if wrong != "" {
				problems.Add(fmt.Sprintf("read.event[%d]", i), placeHint, "%s", wrong)
			}
			alternatives = append(alternatives, p)
		}
		c.event = append(c.event, alternatives)
	}
	if c.form = r.Form; len(c.form) > maxPlace {
		problems.Add("read.form", "write the name of the field", "this is too long for the name of a field")
	}
	if r.Window < 0 || r.Window > maxWindow {
		problems.Add("read.window", "a week is usual", "the window is longer than a year")
	}
	return c, problems
}

const placeHint = "write a dotted path such as data.object.id, or header:X-Event"

func tooMany(name string, n int) (problems hookgate.Problems) {
	if n > maxPlaces {
		problems.Add("read."+name, "keep the first ones", "there are %d places, and at most %d are looked at", n, maxPlaces)
	}
	return problems
}

// compilePlace reads one place; wrong says what keeps it from being one.
func compilePlace(text string) (p place, wrong string) {
	if len(text) > maxPlace {
		return p, "this is too long for a place"
	}
	if name, ok := strings.CutPrefix(text, "header:"); ok {
		if name == "" || strings.ContainsFunc(name, notOfHeader) {
			return p, "this is not the name of a header"
		}
		return place{header: http.CanonicalHeaderKey(name)}, ""
	}
	segments := strings.Split(text, ".")
	if slices.Contains(segments, "") || strings.ContainsAny(text, "|[]") {
		return p, "this is not a path of member names"
	}
	return place{path: text}, ""
}

func notOfHeader(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
