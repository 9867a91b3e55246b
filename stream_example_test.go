package auditstream_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// A "Send test event" button: it tries a destination and touches nothing of the stream.
func ExampleStream_Test() {
	stream, err := auditstream.New(auditstream.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	siem := &sinktest.Recorder{} // stands in for the customer's
	siem.Then(sinktest.Fail(&sink.Error{
		Verdict: sink.VerdictBlock, Err: errors.New("the destination answered 403"), Remedy: "Check the token.",
	}))
	for range 2 {
		err := stream.Test(context.Background(), siem)
		if e, ok := errors.AsType[*sink.Error](err); ok {
			fmt.Println(e, "-", e.Remedy)
			continue
		}
		fmt.Println(err, siem.Actions(), stream.Status().State)
	}
	// Output:
	// the destination answered 403 - Check the token.
	// <nil> [auditstream.test] unconfigured
}

// What could not be delivered before the server stops is handed back.
func ExampleStream_Shutdown() {
	stream, err := auditstream.New(auditstream.Config{})
	siem := &sinktest.Recorder{}
	siem.Answer(sinktest.Fail(errors.New("down")))
	if err := errors.Join(err, stream.Configure(siem)); err != nil {
		fmt.Println(err)
		return
	}
	_ = stream.Publish(auditstream.Event{Action: "project.delete", Actor: auditstream.Actor{ID: "u-1842"}})

	ctx, cancel := context.WithCancel(context.Background())
	cancel() // stop now; a server gives it some seconds
	if left, ok := errors.AsType[*auditstream.UndeliveredError](stream.Shutdown(ctx)); ok {
		for _, e := range left.Events {
			fmt.Println("to be stored:", e.Action, "by", e.Actor.ID)
		}
	}
	totals := stream.Status().Totals
	fmt.Println(totals.Accepted, totals.Delivered, totals.DiscardedShutdown)
	// Output:
	// to be stored: project.delete by u-1842
	// 1 0 1
}
