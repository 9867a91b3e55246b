package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"

	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/server"
)

// The roles in which the program starts itself. A second argument says what to do, as JSON.
const (
	roleServer = "server" // discards what it gets; see package server
	roleChild  = "child"  // does one job
)

// job is what a child does.
type job struct {
	Task      string           `json:"task"`                // key of tasks
	Contender string           `json:"contender,omitempty"` // name of one; for scenarios a driver
	Corpus    string           `json:"corpus"`
	Events    int              `json:"events"`
	InFlight  int              `json:"inFlight,omitempty"`
	Streams   int              `json:"streams,omitempty"`
	Wait      float64          `json:"wait,omitempty"` // seconds
	Bodies    string           `json:"bodies,omitempty"`
	Profile   string           `json:"profile,omitempty"`
	Server    server.Addresses `json:"server"`
}

// tasks are what a child can do. Each returns something that JSON can carry.
var tasks map[string]func(ctx context.Context, j *job) (any, error)

func init() {
	tasks = map[string]func(ctx context.Context, j *job) (any, error){
		"round":      playRound,
		"capture":    capture,
		"pending":    playPending,
		"streams":    playStreams,
		"roundtrips": playRoundTrips,
		"idle":       playIdle,
	}
}

// beServer is the server's process. It ends when its standard input does, that is, with whoever started it.
func beServer(ctx context.Context, spec string) error {
	var options server.Options
	if err := json.Unmarshal([]byte(spec), &options); err != nil {
		return err
	}
	server.AsSent()
	s, err := server.Start(options)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := json.NewEncoder(os.Stdout).Encode(s.Addresses); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, ctx.Err())
}

// beChild is a child's process. Its result goes to standard output.
func beChild(ctx context.Context, spec string) error {
	var j job
	if err := json.Unmarshal([]byte(spec), &j); err != nil {
		return err
	}
	result, err := tasks[j.Task](ctx, &j)
	if err != nil {
		return fmt.Errorf("%s: %w", j.Contender, err)
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// startServer starts a server in a process of its own. Call stop when it has served.
func startServer(ctx context.Context, options server.Options) (a server.Addresses, stop func(), err error) {
	cmd, err := command(ctx, roleServer, options)
	if err != nil {
		return a, nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return a, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return a, nil, err
	}
	if err := cmd.Start(); err != nil {
		return a, nil, err
	}
	stop = func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&a); err != nil {
		stop()
		return a, nil, fmt.Errorf("the server did not start: %w", err)
	}
	return a, stop, nil
}

// runChild runs a job in a process of its own and decodes its result.
func runChild(ctx context.Context, j job, result any) error {
	cmd, err := command(ctx, roleChild, j)
	if err != nil {
		return err
	}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s %s: %w", j.Task, j.Contender, err)
	}
	if err := json.Unmarshal(out, result); err != nil {
		return fmt.Errorf("%s %s: %w", j.Task, j.Contender, err)
	}
	return nil
}

func command(ctx context.Context, role string, spec any) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, role, string(text)) //nolint:gosec // it starts itself
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// order sends an order to a server's control address.
func order(ctx context.Context, a server.Addresses, what string) (server.Stats, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	return server.Order(ctx, &http.Client{Transport: transport}, a.Control, what)
}

// makeCorpus makes the events once, for all processes.
func (p *plan) makeCorpus() error {
	p.corpus = p.file("corpus")
	if err := corpus.Generate(p.events, p.seed).Write(p.corpus); err != nil {
		return err
	}
	runtime.GC() // this process has nothing to do from now on but wait
	return nil
}
