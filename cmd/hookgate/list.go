package main

import (
	"encoding/json"
	"fmt"
)

// list writes the objects of a list as they come: for a script each as it was sent, for people a row of it.
type list[T any] struct {
	m      *Main
	asJSON bool
	row    func(T) []string
	head   []string
	table  table
	found  int
}

func newList[T any](m *Main, asJSON bool, row func(T) []string, head ...string) *list[T] {
	return &list[T]{m: m, asJSON: asJSON, row: row, head: head, table: newTable(m.Stdout)}
}

// write gives the last of the objects, behind which the list goes on.
func (l *list[T]) write(objects []json.RawMessage) (last T, err error) {
	for _, object := range objects {
		var one T
		if err := json.Unmarshal(object, &one); err != nil {
			return last, err
		}
		last = one
		l.found++
		if l.asJSON {
			if _, err := fmt.Fprintln(l.m.Stdout, string(object)); err != nil {
				return last, err
			}
			continue
		}
		if l.found == 1 {
			l.table.row(l.head...)
		}
		l.table.row(l.row(one)...)
	}
	return last, nil
}

// end tells people, but not a script, that there was nothing.
func (l *list[T]) end(none string) error {
	if l.found == 0 && !l.asJSON {
		fmt.Fprintln(l.m.Stderr, none)
	}
	return l.table.end()
}
