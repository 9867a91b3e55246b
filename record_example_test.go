package auditstream_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/sink/sinktest"
)

// An action is audited as failed unless the function that carries it out returns without an error.
func ExampleStream_Begin() {
	siem := &sinktest.Recorder{} // stands in for the customer's
	stream, err := auditstream.New(auditstream.Config{})
	if err := errors.Join(err, stream.Configure(siem)); err != nil {
		fmt.Println(err)
		return
	}

	deleteProject := func(ctx context.Context, id string) (err error) {
		rec := stream.Begin(ctx, auditstream.Event{
			Action:  "project.delete",
			Targets: []auditstream.Target{{ID: id, Type: "project"}},
		})
		defer rec.End(&err)

		if id != "p-77" {
			return errors.New("no such project")
		}
		rec.Event().Message = "Project Payments was deleted"
		return nil
	}

	ctx := auditstream.WithActor(context.Background(), auditstream.Actor{ID: "u-1842", Type: auditstream.ActorUser})
	fmt.Println(deleteProject(ctx, "p-77"))
	fmt.Println(deleteProject(ctx, "p-78"))

	_ = stream.Shutdown(context.Background())
	for _, e := range siem.Events() {
		fmt.Println(e.Actor.ID, e.Action, e.Targets[0].ID, e.Outcome)
	}
	// Output:
	// <nil>
	// no such project
	// u-1842 project.delete p-77 success
	// u-1842 project.delete p-78 failure
}
