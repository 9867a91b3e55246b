package auditstream_test

import (
	"encoding/json"
	"fmt"

	"github.com/auditstream/auditstream"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/siemtest"
	"github.com/auditstream/auditstream/sink/splunk"
)

// A settings page shows why a stream is blocked and what to do about it.
func ExampleStatus_MarshalJSON() {
	srv, err := siemtest.NewSplunk(siemtest.SplunkConfig{InMemory: true})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	srv.SetToken("0b7c1a9e") // another one

	blocked := make(chan struct{})
	s, err := auditstream.New(auditstream.Config{OnTransition: func(t auditstream.Transition) {
		if t.ToCondition == auditstream.ConditionBlocked {
			close(blocked)
		}
	}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = s.Delete() }()
	err = s.Configure(splunk.Config{
		Endpoint: srv.URL(), Token: secret.New("5d2e77fa"), Network: sink.Network{DialContext: srv.DialContext},
	})
	if err != nil {
		panic(err)
	}
	if err := s.Publish(auditstream.Event{Action: "project.delete", Actor: auditstream.Actor{ID: "alice"}}); err != nil {
		panic(err)
	}
	<-blocked

	text, err := json.Marshal(s.Status())
	if err != nil {
		panic(err)
	}
	var page struct {
		State, Condition string
		LastError        struct{ Message, Remedy string }
		Queue            struct{ Events int }
	}
	if err := json.Unmarshal(text, &page); err != nil {
		panic(err)
	}
	fmt.Println(page.State, page.Condition, page.Queue.Events)
	fmt.Println(page.LastError.Message)
	fmt.Println(page.LastError.Remedy)
	// Output:
	// enabled blocked 1
	// splunk: answered 403 Forbidden, HEC code 4: the token is invalid
	// Check Token against Splunk's list under Settings > Data inputs > HTTP Event Collector: it may be mistyped, deleted, or of another Splunk.
}
