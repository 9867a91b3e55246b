package auditslog_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/auditslog"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// A logger of its own for audit records.
func Example() {
	siem := &sinktest.Recorder{} // stands in for the customer's
	stream := newStream(siem)

	audit := slog.New(auditslog.NewHandler(stream, &auditslog.Options{
		OnError: func(_ context.Context, e auditstream.Event, err error) {
			fmt.Fprintln(os.Stderr, e.Action, err)
		},
	}))
	audit.Info("Project Payments was deleted",
		"action", "project.delete",
		"outcome", "success",
		slog.Group("actor", "id", "u-1842", "type", "user", "name", "Alice"),
		slog.Group("target", "id", "p-77", "type", "project", "name", "Payments"),
		"reason", "requested by the owner")

	_ = stream.Shutdown(context.Background())
	for _, e := range siem.Events() {
		fmt.Println(e.Actor.Name, e.Action, e.Targets[0].Name, e.Outcome, e.Attributes)
	}
	// Output:
	// Alice project.delete Payments success [reason=requested by the owner]
}

// The program's log, from which the audit records are picked out by an attribute.
func ExampleNewHandler_marker() {
	siem := &sinktest.Recorder{}
	stream := newStream(siem)

	log := slog.New(auditslog.NewHandler(stream, &auditslog.Options{
		Marker: "audit",
		Actor:  auditstream.Actor{ID: "deploy-server", Type: auditstream.ActorSystem},
		Next:   slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}),
	}))
	log.Info("listening", "port", 8080)
	log.Info("Retention deleted 3 releases", "audit", "release.delete", "count", 3)

	_ = stream.Shutdown(context.Background())
	for _, e := range siem.Events() {
		fmt.Println("audit:", e.Actor.ID, e.Action, e.Attributes)
	}
	// Output:
	// level=INFO msg=listening port=8080
	// audit: deploy-server release.delete [count=3]
}

func newStream(siem *sinktest.Recorder) *auditstream.Stream {
	stream, err := auditstream.New(auditstream.Config{})
	if err != nil {
		panic(err)
	}
	if err := stream.Configure(siem); err != nil {
		panic(err)
	}
	return stream
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
