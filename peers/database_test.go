package peers

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream/internal/canary"
	"github.com/auditstream/auditstream/secret"
	"github.com/auditstream/auditstream/sink"
	"github.com/auditstream/auditstream/sink/otlp"
)

// user is the one who may write to and read from the database.
const user = "peers"

// noMessage is what the database keeps for an event without a message.
const noMessage = "no message"

// database is VictoriaLogs as a process.
type database struct {
	t        *testing.T
	addr     string
	password string
	client   http.RoundTripper
}

// startDatabase builds VictoriaLogs if nobody has yet, and runs it on a new directory until the end of the test.
func startDatabase(t *testing.T, password string) *database {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "victorialogs/build").CombinedOutput()
	require.NoError(t, err, "%s", out)

	db := &database{t: t, addr: freeAddress(t), password: password, client: &http.Transport{DisableKeepAlives: true}}
	dir := t.TempDir()
	// A flag can be read by everybody on the machine.
	file := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(file, []byte(password), 0o600))
	cmd := exec.Command("victorialogs/run",
		"-httpListenAddr="+db.addr, "-storageDataPath="+filepath.Join(dir, "data"), "-loggerLevel=WARN",
		"-httpAuth.username="+user, "-httpAuth.password=file://"+file,
		"-retentionPeriod=100y", "-futureRetention=100y", // the most that it takes
		"-memory.allowedBytes=128MiB", "-defaultMsgValue="+noMessage,
	)
	var printed canary.Log
	cmd.Stdout, cmd.Stderr = &printed, &printed
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_, _ = io.WriteString(stdin, "\n")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		assert.NoError(t, <-ended, "VictoriaLogs did not end well")
		kill.Stop()
		assert.Empty(t, canary.Find(printed.String(), canary.Secret))
	})
	require.Eventually(t, func() bool {
		if len(ended) > 0 {
			return true
		}
		resp, err := db.client.RoundTrip(db.request(http.MethodGet, "/health", nil))
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, patience, 10*tick, "VictoriaLogs does not get ready")
	require.Empty(t, canary.Find(printed.String(), canary.Secret))
	require.Zero(t, len(ended), "VictoriaLogs has ended: %s", &printed)
	return db
}

// destination leads to the database, which checks the password.
func (db *database) destination(h *host, password string) sink.Destination {
	return otlp.Config{
		Endpoint: "http://" + db.addr + "/insert/opentelemetry/v1/logs",
		Secret:   secret.New(password),
		Headers:  sink.Headers{"Authorization": `Basic #{Secret | Prepend "` + user + `:" | ToBase64}`},
		Resource: otlp.Resource{ServiceName: "peers"},
		Logger:   h.logger(),
	}
}

func (db *database) request(method, path string, form url.Values) *http.Request {
	req, err := http.NewRequestWithContext(db.t.Context(), method, "http://"+db.addr+path, strings.NewReader(form.Encode()))
	require.NoError(db.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(user, db.password)
	return req
}

// settle makes everything that was taken visible to queries.
func (db *database) settle() {
	db.t.Helper()
	resp, err := db.client.RoundTrip(db.request(http.MethodPost, "/internal/force_flush", nil))
	require.NoError(db.t, err)
	require.NoError(db.t, resp.Body.Close())
	require.Equal(db.t, http.StatusOK, resp.StatusCode)
}

// query returns the log entries that a query in LogsQL finds, in order of their sequence numbers.
func (db *database) query(logsQL string) []map[string]string {
	db.t.Helper()
	resp, err := db.client.RoundTrip(db.request(http.MethodPost, "/select/logsql/query", url.Values{
		"query": {logsQL + ` | sort by ("audit.sequence.number")`},
	}))
	require.NoError(db.t, err)
	defer resp.Body.Close()
	require.Equal(db.t, http.StatusOK, resp.StatusCode, logsQL)
	var entries []map[string]string
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var entry map[string]string
			require.NoError(db.t, json.Unmarshal(line, &entry), "%s", line)
			entries = append(entries, entry)
		}
		if err != nil {
			require.ErrorIs(db.t, err, io.EOF)
			return entries
		}
	}
}
