package otlp_test

import (
	"context"
	"fmt"
	"time"

	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
)

// A destination with a token in a header. Hosts hand the Config to a Stream; this example makes the attempt itself.
func ExampleConfig() {
	collector, err := siemtest.NewOTLP(siemtest.OTLPConfig{Headers: map[string]string{"Authorization": "Bearer s3cr3t-t0ken"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer collector.Close()

	cfg := otlp.Config{
		Endpoint: collector.URL(), // such as https://collector.example:4318/v1/logs
		Secret:   secret.New("s3cr3t-t0ken"),
		Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
		Resource: otlp.Resource{ServiceName: "deploy-server"},
	}
	s, err := cfg.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := s.Deliver(context.Background(), []sink.Event{{
		ID: "1", Time: time.Now(), Action: "project.delete", Outcome: sink.OutcomeSuccess,
		Actor: sink.Actor{ID: "users-1"}, Targets: []sink.Target{{ID: "projects-7", Type: "project"}},
	}})
	fmt.Println(n, err)
	for _, e := range collector.Events() {
		fmt.Println(e.Action, e.Document["audit.actor.id"], e.Document["audit.target.id"])
	}
	// Output:
	// 1 <nil>
	// project.delete users-1 projects-7
}

// The same over gRPC: scheme, host and port, and no path.
func ExampleConfig_gRPC() {
	cfg := otlp.Config{
		Endpoint: "https://collector.example:4317",
		Protocol: otlp.GRPC,
		Secret:   secret.New("s3cr3t-t0ken"),
		Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
	}
	_, err := cfg.Open() // checks everything and dials nothing
	fmt.Println(cfg.String(), err)
	// Output:
	// otlp https://collector.example:4317 <nil>
}
