package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/hookgate/hookgate"
)

// The bounds of an expression: our defaults. The cost is CEL's own measure, in which one step is about 1.
const (
	maxExpression   = 4096 // characters
	maxNesting      = 50
	maxRegexProgram = 1000 // instructions of a compiled pattern
	maxCost         = 10_000
	interruptEvery  = 100                   // rounds of a loop between looks at the clock
	evaluationTime  = 50 * time.Millisecond // of one evaluation
	evaluations     = 3                     // of one event: a busy machine can be late without the event being at fault
	maxWhenProblems = 5                     // one slip can make a row of them
)

// maxExact bounds the numbers that are given as such: below it a double tells every two whole numbers apart. From it on a
// number of the payload is given as its text.
const maxExact = 1 << 53

// condition is a compiled `when`. Several goroutines may use it at once.
type condition struct {
	text    string
	program cel.Program
}

// variable is an attribute of the envelope as an expression sees it.
type variable struct {
	kind *cel.Type
	of   func(e *hookgate.Event) ref.Val
}

func textual(of func(e *hookgate.Event) string) variable {
	return variable{cel.StringType, func(e *hookgate.Event) ref.Val { return types.String(of(e)) }}
}

// variables are the envelope's attributes under their own names; what is missing is "". The payload is beside them, as data.
var variables = map[string]variable{
	"id":              textual(func(e *hookgate.Event) string { return e.ID }),
	"source":          textual(func(e *hookgate.Event) string { return "/hookgate/" + e.Provider + "/" + e.Source }),
	"type":            textual(func(e *hookgate.Event) string { return e.Type }),
	"subject":         textual(func(e *hookgate.Event) string { return e.Subject }),
	"datacontenttype": textual(func(e *hookgate.Event) string { return e.ContentType }),
	"provider":        textual(func(e *hookgate.Event) string { return e.Provider }),
	"tenant":          textual(func(e *hookgate.Event) string { return e.Tenant }),
	"entitytype":      textual(func(e *hookgate.Event) string { return e.EntityType }),
	"entityid":        textual(func(e *hookgate.Event) string { return e.Subject }),
	"action":          textual(func(e *hookgate.Event) string { return e.Action }),
	"nativeid":        textual(func(e *hookgate.Event) string { return e.NativeID }),
	"timesource":      textual(func(e *hookgate.Event) string { return e.TimeSource }),
	"verifiedby":      textual(func(e *hookgate.Event) string { return e.VerifiedBy }),
	"keyid":           textual(func(e *hookgate.Event) string { return e.KeyID }),
	"partitionkey":    textual(func(e *hookgate.Event) string { return e.PartitionKey }),
	"rawsha256":       textual(func(e *hookgate.Event) string { return e.RawSHA256 }),
	"attempt":         {cel.IntType, func(e *hookgate.Event) ref.Val { return types.Int(e.Attempt) }},
	"time":            {cel.TimestampType, func(e *hookgate.Event) ref.Val { return types.Timestamp{Time: e.Time} }},
	"receivedtime":    {cel.TimestampType, func(e *hookgate.Event) ref.Val { return types.Timestamp{Time: e.Received} }},
	"replayed":        {cel.BoolType, func(e *hookgate.Event) ref.Val { return types.Bool(e.Replayed) }},
}

// checkWhen finds what is wrong with an expression; an empty one is none.
func checkWhen(expression string, ps *hookgate.Problems) {
	if expression == "" {
		return
	}
	_, problems := newCondition(expression)
	*ps = append(*ps, problems...)
}

// newCondition compiles an expression. Its problems name the place inside it.
func newCondition(expression string) (*condition, hookgate.Problems) {
	options := []cel.EnvOption{
		cel.Variable("data", cel.DynType),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxNesting),
		cel.RegexProgramSizeLimit(maxRegexProgram),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
	}
	for name, v := range variables {
		options = append(options, cel.Variable(name, v.kind))
	}
	var ps hookgate.Problems
	env, err := cel.NewEnv(options...)
	if err != nil {
		ps.Add("when", "", "%s", err)
		return nil, ps
	}
	checked, issues := env.Compile(expression)
	for _, problem := range issues.Errors() {
		if len(ps) == maxWhenProblems {
			break
		}
		ps.Add("when", hintFor(problem.Message), "%s%s", place(problem.Location.Line(), problem.Location.Column()), problem.Message)
	}
	if len(ps) > 0 {
		return nil, ps
	}
	if kind := checked.OutputType(); !kind.IsExactType(cel.BoolType) {
		ps.Add("when", "make it a comparison, such as data.vip == true", "must be true or false for every event, and this is of type %s", kind)
		return nil, ps
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.InterruptCheckFrequency(interruptEvery))
	if err != nil { // a constant part that cannot be evaluated
		ps.Add("when", "", "%s", err)
		return nil, ps
	}
	return &condition{text: expression, program: program}, nil
}

// place is where inside the expression a problem lies, both counted from one; CEL counts columns from zero, and gives no
// line where the whole expression is meant.
func place(line, column int) string {
	if line < 1 {
		return ""
	}
	return fmt.Sprintf("line %d, column %d: ", line, column+1)
}

func hintFor(message string) string {
	switch {
	case strings.HasPrefix(message, "undeclared reference"):
		return "the names are data, " + strings.Join(slices.Sorted(maps.Keys(variables)), ", ")
	case strings.Contains(message, "limit exceeded"), strings.Contains(message, "exceeds limit"):
		return fmt.Sprintf("at most %d characters and %d levels of nesting", maxExpression, maxNesting)
	}
	return `write a CEL expression such as type.startsWith("salesiq.") && has(data.priority) && data.priority == "high"`
}

// holds evaluates the expression. It gives the number of payload bytes that had to be parsed for it. The error says why the
// expression has no answer for this event, or is that of ctx.
func (c *condition) holds(ctx context.Context, e *hookgate.Event) (holds bool, parsed int, err error) {
	a := activation{event: e}
	var value ref.Val
	for range evaluations {
		timed, cancel := context.WithTimeout(ctx, evaluationTime)
		value, _, err = c.program.ContextEval(timed, &a)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			break
		}
	}
	if a.data != nil {
		parsed = len(e.Data)
	}
	switch {
	case err == nil: // also where data is broken and the other side of an || holds
		return value == types.True, parsed, nil
	case ctx.Err() != nil:
		return false, parsed, ctx.Err()
	case a.broken != nil:
		return false, parsed, fmt.Errorf("when: data is no JSON that can be read: %w", a.broken)
	}
	return false, parsed, errors.New("when: " + c.reason(err))
}

// reason is the text of an evaluation's error without what it quotes of the payload: reasons go to logs. Values stand in
// quotes or behind a colon, where CEL's own words and what is in the expression itself may stay, or behind these words.
func (c *condition) reason(err error) string {
	const zone = "unknown time zone"
	reason, rest, found := strings.Cut(err.Error(), ": ")
	if found && (reason == "no such overload" || reason == "operation cancelled" || strings.Contains(c.text, rest)) {
		reason += ": " + rest
	}
	if strings.HasPrefix(reason, zone) {
		return zone
	}
	if at := strings.IndexAny(reason, "\"`"); at >= 0 {
		reason = reason[:at]
	}
	return strings.TrimSpace(reason)
}

// activation gives an expression the values of one event. The payload is parsed when it is first asked for.
type activation struct {
	event  *hookgate.Event
	data   ref.Val
	broken error // why the payload cannot be parsed
}

var _ cel.Activation = (*activation)(nil)

// ResolveName gives the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	if v, ok := variables[name]; ok {
		return v.of(a.event), true
	}
	if name != "data" {
		return nil, false
	}
	if a.data == nil {
		a.data, a.broken = payload(a.event)
	}
	return a.data, true
}

// Parent gives nil: all variables are here.
func (a *activation) Parent() cel.Activation { return nil }

// payload is the event's own data: a JSON value, or the text where it is none.
func payload(e *hookgate.Event) (ref.Val, error) {
	if e.ContentType != hookgate.JSON {
		return types.String(strings.ToValidUTF8(string(e.Data), "\ufffd")), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(e.Data))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = errors.New("something follows it")
		}
	}
	if err != nil {
		return types.WrapErr(err), err
	}
	return types.DefaultTypeAdapter.NativeToValue(numbered(value)), nil
}

// numbered turns the numbers of a JSON value into doubles, as CEL has them, and those that a double cannot tell apart from
// their neighbours into text.
func numbered(value any) any {
	switch v := value.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && math.Abs(f) < maxExact {
			return f
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = numbered(v[i])
		}
	case map[string]any:
		for key, member := range v {
			v[key] = numbered(member)
		}
	}
	return value
}
