package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
)

// switchFile is added to the package: which mutant is on, and a file for the numbers of those that were reached. The
// imports have names of their own, because the package may use the usual ones for something else.
const switchFile = `package %s

import (
	mutantos "os"
	mutantstrconv "strconv"
	mutantatomic "sync/atomic"
)

var (
	mutantNumber, _ = mutantstrconv.Atoi(mutantos.Getenv("MUTANT"))
	mutantNotes, _  = mutantos.OpenFile(mutantos.Getenv("MUTANT_NOTES"), mutantos.O_WRONLY|mutantos.O_APPEND, 0)
	mutantNoted     [%d]mutantatomic.Bool
)

func mutantOn(n int) bool {
	if mutantNotes != nil {
		mutantNote(n)
	}
	return n == mutantNumber
}

func mutantNote(n int) {
	if !mutantNoted[n].Swap(true) {
		_, _ = mutantNotes.WriteString(mutantstrconv.Itoa(n) + "\n")
	}
}
`

// rewriter puts text around the comparisons of one file. Nothing is taken away and no line is added.
type rewriter struct {
	file        *token.File
	source      []byte
	before, end map[int]string // what is inserted at an offset: what opens, and what closes
}

func (r *rewriter) text(n ast.Node) string {
	return strings.Join(strings.Fields(string(r.source[r.file.Offset(n.Pos()):r.file.Offset(n.End())])), " ")
}

// wrap makes ((e) != mutantOn(n)) of e. Nodes are met from the outside in, so that what opens is put behind what was there
// already, and what closes before it.
func (r *rewriter) wrap(e ast.Expr, n int) {
	r.before[r.file.Offset(e.Pos())] += "(("
	at := r.file.Offset(e.End())
	r.end[at] = fmt.Sprintf(") != mutantOn(%d))", n) + r.end[at]
}

func (r *rewriter) rewritten() []byte {
	var b []byte
	for i := range len(r.source) + 1 {
		b = append(append(b, r.end[i]...), r.before[i]...)
		if i < len(r.source) {
			b = append(b, r.source[i])
		}
	}
	return b
}

// rewrite numbers the comparisons of a file and puts each behind its number.
func (p *goPackage) rewrite(set *token.FileSet, file *ast.File, info *types.Info, module string) error {
	name := set.Position(file.Pos()).Filename
	source, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	short, err := filepath.Rel(module, name)
	if err != nil {
		return err
	}
	r := &rewriter{file: set.File(file.Pos()), source: source, before: make(map[int]string), end: make(map[int]string)}
	seen := make(map[string]int)
	for _, decl := range file.Decls {
		function := nameOf(decl)
		ast.Inspect(decl, func(n ast.Node) bool {
			e, parts := compares(n)
			if e == nil {
				return true
			}
			at := set.Position(operator(e))
			m := &mutant{file: filepath.ToSlash(short), line: at.Line, col: at.Column, function: function, text: r.text(e)}
			m.again = seen[m.key()]
			seen[m.key()]++
			if m.why = obstacle(info, e, parts); m.why != "" {
				p.left = append(p.left, m)
				return true
			}
			p.mutants = append(p.mutants, m)
			r.wrap(e, len(p.mutants))
			for _, part := range parts {
				r.wrap(part, len(p.mutants))
			}
			return true
		})
	}
	p.rewritten[name] = r.rewritten()
	return nil
}

// compares says whether a node can be turned round, and which parts must be turned round with it: a && b becomes
// !(!a && !b), which is a || b and leaves out as much.
func compares(n ast.Node) (e ast.Expr, parts []ast.Expr) {
	switch e := n.(type) {
	case *ast.BinaryExpr:
		switch e.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			return e, nil
		case token.LAND, token.LOR:
			return e, []ast.Expr{e.X, e.Y}
		}
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			return e, nil
		}
	}
	return nil, nil
}

func operator(e ast.Expr) token.Pos {
	if b, ok := e.(*ast.BinaryExpr); ok {
		return b.OpPos
	}
	return e.Pos()
}

// obstacle says why an expression must be left alone. A comparison itself takes any boolean type; && and ! have that of
// their operands, which a function's bool would not meet.
func obstacle(info *types.Info, e ast.Expr, parts []ast.Expr) string {
	if info.Types[e].Value != nil {
		return "a constant"
	}
	if not, ok := e.(*ast.UnaryExpr); ok {
		parts = []ast.Expr{not.X}
	}
	for _, part := range parts {
		if t := types.Unalias(info.Types[part].Type); t != types.Typ[types.Bool] && t != types.Typ[types.UntypedBool] {
			return "of type " + t.String()
		}
	}
	return ""
}

func nameOf(decl ast.Decl) string {
	f, ok := decl.(*ast.FuncDecl)
	if !ok {
		return "var"
	}
	if f.Recv == nil {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	name, _, _ := strings.Cut(types.ExprString(t), "[") // without the parameters of a generic one
	return name + "." + f.Name.Name
}
