package main

import (
	"context"
	"fmt"
	"time"

	"github.com/auditstream/auditstream/bench/internal/server"
)

// The drivers, as the scenarios name them. They compress, as they do unless they are told otherwise.
const (
	driverHTTP   = "OTLP/HTTP"
	driverGRPC   = "OTLP/gRPC"
	driverSplunk = "Splunk"
	driverSumo   = "Sumo Logic"
)

var driverNames = []string{driverHTTP, driverGRPC, driverSplunk, driverSumo}

func driverNamed(name string) (driver, error) {
	switch name {
	case driverHTTP:
		return ourOTLP(false, true), nil
	case driverGRPC:
		return ourOTLP(true, true), nil
	case driverSplunk:
		return ourSplunk(true), nil
	case driverSumo:
		return ourSumo(true), nil
	}
	return nil, fmt.Errorf("there is no driver %q", name)
}

// runScenario runs a job against a server of its own.
func runScenario(ctx context.Context, options server.Options, j job, result any) error {
	address, stop, err := startServer(ctx, options)
	if err != nil {
		return err
	}
	defer stop()
	j.Server = address
	return runChild(ctx, j, result)
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
