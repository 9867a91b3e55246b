package auditstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
	"github.com/auditstream/auditstream/sink/sumologic"
)

// A host makes a stream, configures it with what an administrator typed, and publishes.
func Example() {
	splunkServer, err := siemtest.NewSplunk(siemtest.SplunkConfig{}) // stands in for the customer's Splunk
	if err != nil {
		fmt.Println(err)
		return
	}
	defer splunkServer.Close()

	stream, err := auditstream.New(auditstream.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = stream.Configure(splunk.Config{
		Endpoint: splunkServer.URL(),
		Token:    secret.New(splunkServer.Token()),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = stream.Publish(auditstream.Event{
		Action:  "project.delete",
		Outcome: auditstream.OutcomeSuccess,
		Actor:   auditstream.Actor{ID: "u-1842", Type: auditstream.ActorUser, Name: "Alice"},
		Targets: []auditstream.Target{{ID: "p-77", Type: "project", Name: "Payments"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := stream.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range splunkServer.Events() {
		fmt.Println(e.Sequence, e.Action)
	}
	fmt.Println(stream.Status().Totals.Delivered, "delivered")
	// Output:
	// 1 project.delete
	// 1 delivered
}

// host is the 20 lines of the README.
func host(saved sink.Destination, handler http.Handler) error {
	stream, err := auditstream.New(auditstream.Config{Logger: slog.Default()})
	if err != nil {
		return err
	}
	if saved != nil { // what the administrator configured before the restart
		if err := stream.Configure(saved); err != nil {
			slog.Error("audit streaming is off", "error", err)
		}
	}
	http.HandleFunc("DELETE /projects/{id}", func(w http.ResponseWriter, r *http.Request) {
		err := stream.Publish(auditstream.Event{
			Action:  "project.delete",
			Outcome: auditstream.OutcomeSuccess,
			Actor:   auditstream.Actor{ID: r.Header.Get("X-User"), Type: auditstream.ActorUser},
			Targets: []auditstream.Target{{ID: r.PathValue("id"), Type: "project"}},
		})
		if err != nil && !errors.Is(err, auditstream.ErrInactive) {
			http.Error(w, "not audited, so not done", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	})
	return http.ListenAndServe("localhost:8080", nil)
}

// end is how a host ends its stream.
func end(stream *auditstream.Stream, store func([]auditstream.Event)) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if left, ok := errors.AsType[*auditstream.UndeliveredError](stream.Shutdown(ctx)); ok {
		store(left.Events)
	}
}

// authentication shows the common forms, as the README does.
func authentication() []sink.Destination {
	token := secret.New(os.Getenv("TOKEN"))
	return []sink.Destination{
		// A bearer token.
		otlp.Config{
			Endpoint: "https://otlp.example.com/v1/logs",
			Secret:   token,
			Headers:  sink.Headers{"Authorization": "Bearer #{Secret}"},
			Resource: otlp.Resource{ServiceName: "deploy-server"},
		},
		// A bearer token that the server wants in Base64.
		otlp.Config{
			Endpoint: "https://otlp.example.com/v1/logs",
			Secret:   token,
			Headers:  sink.Headers{"Authorization": "Bearer #{Secret | ToBase64}"},
		},
		// Basic authentication; the secret is the password.
		otlp.Config{
			Endpoint: "https://otlp.example.com/v1/logs",
			Secret:   token,
			Headers:  sink.Headers{"Authorization": `Basic #{Secret | Prepend "user:" | ToBase64}`},
		},
		// A header of the provider's own, over gRPC.
		otlp.Config{
			Endpoint: "https://otlp.example.com:4317",
			Protocol: otlp.GRPC,
			Secret:   token,
			Headers:  sink.Headers{"api-key": "#{Secret}"},
		},
		// A token in the URL.
		otlp.Config{
			Endpoint: "https://otlp.example.com/#{Secret | UriDataEscape}/v1/logs",
			Secret:   token,
		},
		// Splunk: the base URL of the collector and a HEC token.
		splunk.Config{
			Endpoint:   "https://http-inputs-acme.splunkcloud.com",
			Token:      token,
			Index:      "audit",
			SourceType: "acme:audit",
		},
		// Sumo Logic: the URL is the secret.
		sumologic.Config{
			Endpoint: secret.New(os.Getenv("SUMO_URL")),
			Category: "prod/audit",
		},
	}
}

// ofTenant is a destination whose endpoint and token a tenant of the host has typed.
func ofTenant(endpoint string, token secret.Value) sink.Destination {
	return splunk.Config{
		Endpoint: endpoint,
		Token:    token,
		Network: sink.Network{Guard: &sink.Guard{
			Allow: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}, // where your customers' own SIEMs are, if anywhere
		}},
	}
}
