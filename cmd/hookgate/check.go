package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hookgate/hookgate/configs"
)

type checkCommand struct {
	Config string `required:"" short:"c" placeholder:"FILE" help:"The configuration to read."`
	JSON   bool   `name:"json" help:"For scripts: an object with ok, problems and warnings."`
}

// Run prints every problem and warning at once, a line each, and fails if there is a problem.
func (c checkCommand) Run(m *Main) error {
	config, warnings, err := configs.Load(c.Config, m.Env, rules())
	if c.JSON {
		return c.json(m, warnings, err)
	}
	for _, w := range warnings {
		fmt.Fprintln(m.Stderr, "warning:", w)
	}
	if err != nil {
		fmt.Fprintln(m.Stderr, err)
		return errSaid
	}
	fmt.Fprintf(m.Stdout, "%s is good: sources %d, destinations %d\n", c.Config, len(config.Sources), len(config.Destinations))
	return nil
}

func (c checkCommand) json(m *Main, warnings configs.Problems, problem error) error {
	said := struct {
		OK       bool     `json:"ok"`
		Problems []string `json:"problems"`
		Warnings []string `json:"warnings"`
	}{OK: problem == nil, Problems: []string{}, Warnings: []string{}}
	if problem != nil {
		said.Problems = strings.Split(problem.Error(), "\n")
	}
	for _, w := range warnings {
		said.Warnings = append(said.Warnings, w.Error())
	}
	if err := json.NewEncoder(m.Stdout).Encode(said); err != nil {
		return err
	}
	if problem != nil {
		return errSaid
	}
	return nil
}
