package main

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

type versionCommand struct {
	JSON bool `name:"json" help:"For scripts."`
}

func (c versionCommand) Run(m *Main) error {
	version, revision, goVersion := "devel", "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if c.JSON {
		return json.NewEncoder(m.Stdout).Encode(map[string]string{"version": version, "revision": revision, "go": goVersion})
	}
	words := slices.DeleteFunc([]string{"hookgate", version, revision, goVersion}, func(s string) bool { return s == "" })
	_, err := fmt.Fprintln(m.Stdout, strings.Join(words, " "))
	return err
}
