package auditstream_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// A customer with two SIEMs: each event goes to both, and one that is full holds the other back in nothing.
func ExampleFanout() {
	splunk, archive := &sinktest.Recorder{}, &sinktest.Recorder{} // stand in for them
	one, err := auditstream.New(auditstream.Config{Name: "splunk", QueueEvents: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	two, err := auditstream.New(auditstream.Config{Name: "archive"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := errors.Join(one.Configure(splunk), two.Configure(archive), one.Pause()); err != nil {
		fmt.Println(err)
		return
	}

	fan := auditstream.NewFanout(one, two)
	for _, action := range []string{"project.create", "project.edit", "project.delete"} {
		err := fan.Publish(auditstream.Event{Action: action, Actor: auditstream.Actor{ID: "u-1842"}})
		if failed, ok := errors.AsType[*auditstream.FanoutError](err); ok {
			fmt.Println(failed.Streams[0].Name, "did not take", action, "and", failed.Accepted, "did:",
				errors.Is(err, auditstream.ErrQueueFull))
		}
	}

	_ = one.Resume()
	_ = fan.Shutdown(context.Background())
	fmt.Println(splunk.Actions())
	fmt.Println(archive.Actions())
	// Output:
	// splunk did not take project.delete and 1 did: true
	// [project.create project.edit]
	// [project.create project.edit project.delete]
}
