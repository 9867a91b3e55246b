package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/sink/siemtest"
)

// start runs the program with the given environment, standard input and arguments.
func start(t *testing.T, env map[string]string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	getenv := func(name string) string { return env[name] }
	code = run(t.Context(), args, getenv, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

func TestTour(t *testing.T) {
	t.Parallel()
	code, out, errs := start(t, nil, "")

	assert.Zero(t, code, errs)
	assert.Empty(t, errs)
	for i, s := range steps {
		assert.Contains(t, out, fmt.Sprintf("\n%d. %s\n   %s\n", i+1, s.title, s.about))
	}
	for _, want := range []string{
		"360, bundled with the program",
		"state         unconfigured → enabled",
		"state         enabled → paused",
		"state         paused → enabled",
		"condition     healthy → retrying",
		"condition     retrying → healthy",
		"condition     healthy → blocked",
		"condition     blocked → healthy",
		"state         enabled → deleted",
		"ledger        accepted 360 = delivered 359 + rejected 1 + discarded 0 + pending 0",
		"by ID         360 published = 359 at the servers + 1 rejected; 0 missing, 0 unknown, 0 repeats",
		"every event is accounted for",
	} {
		assert.Contains(t, out, want)
	}
	for _, secret := range []string{otlpToken, siemtest.SplunkToken, siemtest.SumoLogicCode} {
		assert.NotContains(t, out, secret)
	}
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, len([]rune(line)), 200, line)
	}
}

func TestTourWithEventsOfOnesOwn(t *testing.T) {
	t.Parallel()
	kubernetes, err := os.ReadFile(filepath.Join("testdata", "kubernetes.ndjson"))
	require.NoError(t, err)
	withoutID := `{"action":"a","actor":{"id":"u"}}` + "\n"
	tests := map[string]struct {
		input string
		want  []string
	}{
		"one event":              {withoutID, []string{"1 event at OTLP over HTTP", "left out      there are too few events", "1 published = 1 at the servers + 0 rejected"}},
		"as many as steps":       {strings.Repeat(withoutID, len(steps)), []string{"9 published = 8 at the servers + 1 rejected"}},
		"one ID again and again": {strings.Repeat(own("same")+"\n", 2*len(steps)), []string{"every event is accounted for"}},
		"Kubernetes":             {string(kubernetes), []string{"read          7, from standard input", "every event is accounted for"}},
		"Kubernetes and our own": {string(kubernetes) + own("1"), []string{"read          8, from standard input"}},
		"every other event is refused": {
			strings.Repeat(withoutID+`{"action":"a","actor":{"id":"u"},"attributes":{"":1}}`+"\n", len(steps)),
			[]string{"skipped       line 2 is refused: auditstream: Event.Attributes", "9 published = ", "every event is accounted for"},
		},
		"the last events are refused": { // and no step waits for what never comes
			withoutID + strings.Repeat(`{"action":"a","actor":{"id":"u"},"outcome":"no"}`+"\n", 2*len(steps)),
			[]string{"skipped       line 2 is refused: auditstream: Event.Outcome", "1 published = 1 at the servers"},
		},
		"enough for the outage": {strings.Repeat(withoutID, 6), []string{"condition     retrying → healthy", "6 published = 6 at the servers"}},
		"bad lines": {
			strings.Repeat("oops\n", maxNamed+5) + withoutID,
			[]string{"skipped       line 1 is not JSON", "skipped       line 20 is not JSON", "skipped       and 5 more", "1, from standard input; bad lines skipped: 25"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := start(t, nil, test.input, "-events", "-")
			assert.Zero(t, code, errs)
			for _, want := range test.want {
				assert.Contains(t, out, want)
			}
		})
	}
}

func TestRealDestinations(t *testing.T) {
	t.Parallel()
	const token = "0b7c1f2e-correct-horse"
	receiver, err := siemtest.NewOTLP(siemtest.OTLPConfig{Headers: map[string]string{"Authorization": "Bearer " + token}})
	require.NoError(t, err)
	t.Cleanup(receiver.Close)
	collector, err := siemtest.NewSplunk(siemtest.SplunkConfig{TLS: true})
	require.NoError(t, err)
	t.Cleanup(collector.Close)
	source, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{})
	require.NoError(t, err)
	t.Cleanup(source.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(roots, []byte(collector.CertPEM()), 0o600))

	header := []string{"-otlp-header", "Authorization: Bearer #{Secret}"}
	secret := map[string]string{"AUDITSTREAM_OTLP_SECRET": token}
	tests := map[string]struct {
		env  map[string]string
		args []string
	}{
		"OTLP over HTTP": {secret, append(header, "-otlp-endpoint", receiver.URL())},
		"OTLP over gRPC": {secret, append(header, "-otlp-endpoint", receiver.GRPCURL(), "-otlp-protocol", "grpc")},
		"OTLP, endpoint in the environment": {
			map[string]string{"AUDITSTREAM_OTLP_SECRET": token, "AUDITSTREAM_OTLP_ENDPOINT": receiver.URL()}, header,
		},
		"Splunk with a pinned certificate": {
			map[string]string{"AUDITSTREAM_SPLUNK_TOKEN": collector.Token()},
			[]string{"-splunk-endpoint", collector.URL(), "-tls-pin", collector.Fingerprint()},
		},
		"Splunk with roots of its own": {
			map[string]string{"AUDITSTREAM_SPLUNK_TOKEN": collector.Token(), "AUDITSTREAM_SPLUNK_ENDPOINT": collector.URL()},
			[]string{"-tls-roots", roots},
		},
		"Sumo Logic": {map[string]string{"AUDITSTREAM_SUMOLOGIC_URL": source.URL()}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			input := own(name) + "\nno event\n"
			code, out, errs := start(t, test.env, input, append(test.args, "-events", "-")...)
			assert.Zero(t, code, errs)
			assert.Contains(t, out, "skipped       line 2 is not JSON")
			assert.Contains(t, out, "ledger        accepted 1 = delivered 1 + rejected 0 + discarded 0 + pending 0")
			for _, value := range test.env {
				if !strings.HasPrefix(value, "http") || value == source.URL() {
					assert.NotContains(t, out+errs, value)
				}
			}
			assert.Contains(t, append(append(receiver.IDs(), collector.IDs()...), source.IDs()...), name)
		})
	}
}

func TestRealDestinationThatRefuses(t *testing.T) {
	t.Parallel()
	collector, err := siemtest.NewSplunk(siemtest.SplunkConfig{})
	require.NoError(t, err)
	t.Cleanup(collector.Close)
	env := map[string]string{"AUDITSTREAM_SPLUNK_TOKEN": "11111111-2222-3333-4444-555555555555"}

	code, out, errs := start(t, env, "", "-splunk-endpoint", collector.URL())
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, out, "remedy ")
	assert.Equal(t, "quickstart: the destination did not take the test event\n", errs)
	assert.NotContains(t, out+errs, env["AUDITSTREAM_SPLUNK_TOKEN"])
	assert.Empty(t, collector.Events())
}

func TestRealDestinationThatFailsLater(t *testing.T) {
	t.Parallel()
	collector, err := siemtest.NewSplunk(siemtest.SplunkConfig{})
	require.NoError(t, err)
	t.Cleanup(collector.Close)
	collector.Fail(func(siemtest.Request) *siemtest.Answer {
		if len(collector.Events()) == 0 {
			return nil
		}
		busy := siemtest.HEC(9)
		return &busy
	})
	env := map[string]string{"AUDITSTREAM_SPLUNK_TOKEN": collector.Token()}

	code, out, errs := start(t, env, "", "-splunk-endpoint", collector.URL(), "-timeout", "5s")
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, out, "last error")
	assert.Contains(t, out, "accepted 360 = delivered 0 + rejected 0 + discarded 360 + pending 0")
	assert.Contains(t, errs, "360 events undelivered")
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	const credential = "c4n4ry-credential"
	tests := map[string]struct {
		env  map[string]string
		args []string
		code int
		want string
	}{
		"an unknown flag":   {nil, []string{"-nonsense"}, exitUsage, "flag provided but not defined"},
		"an argument":       {nil, []string{"events.ndjson"}, exitUsage, "takes flags only"},
		"two destinations":  {map[string]string{"AUDITSTREAM_SUMOLOGIC_URL": "https://" + credential}, []string{"-splunk-endpoint", "https://b.example"}, exitUsage, "choose one"},
		"a broken header":   {nil, []string{"-otlp-endpoint", "https://a.example", "-otlp-header", credential}, exitUsage, "'Name: value'"},
		"no such PEM file":  {nil, []string{"-tls-roots", "no-such-file.pem"}, exitUsage, "no-such-file.pem"},
		"nothing to use it": {nil, []string{"-otlp-header", "Authorization: " + credential}, exitUsage, "-otlp-header is set, but no destination"},
		"a lone token":      {map[string]string{"AUDITSTREAM_SPLUNK_TOKEN": credential}, nil, exitUsage, "AUDITSTREAM_SPLUNK_TOKEN is set, but no destination"},
		"no events":         {nil, []string{"-events", "-"}, exitFailure, "no event was read from standard input"},
		"no such file":      {nil, []string{"-events", "no-such-file.ndjson"}, exitFailure, "no-such-file.ndjson"},
		"a bad destination": {map[string]string{"AUDITSTREAM_SPLUNK_TOKEN": credential}, []string{"-splunk-endpoint", "ftp://a.example"}, exitFailure, "splunk: Config.Endpoint"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := start(t, test.env, "", test.args...)
			assert.Equal(t, test.code, code)
			assert.Contains(t, errs, test.want)
			assert.NotContains(t, out+errs, credential)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AUDITSTREAM_OTLP_ENDPOINT": "https://a.example/c4n4ry", "AUDITSTREAM_SPLUNK_TOKEN": "c4n4ry"}
	code, out, errs := start(t, env, "", "-help")
	assert.Zero(t, code)
	assert.Contains(t, errs, "AUDITSTREAM_SPLUNK_TOKEN")
	assert.Contains(t, errs, "-otlp-header 'Name: value'")
	assert.NotContains(t, out+errs, "c4n4ry")
}

// brokenPipe fails after a while, like the reader of a pipe that has gone.
type brokenPipe struct{ room int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestReportThatCannotBePrinted(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	code := run(t.Context(), []string{"-events", "-"}, func(string) string { return "" }, strings.NewReader(own("1")), &brokenPipe{room: 200}, &errs)
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, errs.String(), io.ErrClosedPipe.Error())
}

// silence never answers a Read, like a terminal at which nobody types. It says when it is read.
type silence struct {
	reading func()
	end     chan struct{}
}

func (s silence) Read([]byte) (int, error) {
	s.reading()
	<-s.end
	return 0, io.EOF
}

func TestInterruptWhileInputIsOpen(t *testing.T) {
	t.Parallel()
	source, err := siemtest.NewSumoLogic(siemtest.SumoLogicConfig{})
	require.NoError(t, err)
	t.Cleanup(source.Close)
	tests := map[string]struct {
		env  map[string]string
		want string
	}{
		"fake servers":       {nil, "Audit events"},
		"a real destination": {map[string]string{"AUDITSTREAM_SUMOLOGIC_URL": source.URL()}, "accepted 1 = delivered 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			quiet := silence{reading: func() { cancel(errors.New("interrupted by a visitor")) }, end: make(chan struct{})}
			defer close(quiet.end)
			stdin := io.MultiReader(strings.NewReader(own(name)+"\n"), quiet)
			var out, errs bytes.Buffer
			code := run(ctx, []string{"-events", "-"}, func(name string) string { return test.env[name] }, stdin, &out, &errs)
			assert.Equal(t, exitFailure, code)
			assert.Contains(t, out.String(), test.want)
			assert.Contains(t, errs.String(), "interrupted by a visitor")
		})
	}
}

func TestInterruptedTour(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted by a visitor"))
	var out, errs bytes.Buffer
	code := run(ctx, nil, func(string) string { return "" }, nil, &out, &errs)
	assert.Equal(t, exitFailure, code)
	assert.NotContains(t, out.String(), "every event is accounted for")
}
