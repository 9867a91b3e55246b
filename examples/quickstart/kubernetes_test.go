package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/auditstream/auditstream"
)

func TestParseKubernetes(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join("testdata", "kubernetes.ndjson"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	var events []auditstream.Event
	for e, err := range parse(f) {
		require.NoError(t, err)
		events = append(events, e.Event)
	}
	want := kubernetesWant()
	require.Len(t, events, len(want))
	for i, e := range events {
		t.Run(want[i].name, func(t *testing.T) {
			t.Parallel()
			attributes := map[string]any{}
			for _, a := range e.Attributes {
				attributes[a.Key] = a.Value.Any()
			}
			e.Attributes = nil
			assert.Equal(t, want[i].event, e)
			assert.Equal(t, want[i].attributes, attributes)
		})
	}
}

type kubernetesCase struct {
	name       string
	event      auditstream.Event
	attributes map[string]any
}

func kubernetesWant() []kubernetesCase {
	at := func(h, m, s, micro int) time.Time {
		return time.Date(2026, 3, 4, h, m, s, micro*int(time.Microsecond), time.UTC)
	}
	return []kubernetesCase{
		{
			name: "a person deletes a pod",
			event: auditstream.Event{
				ID: "6c2f6f0e-9a54-4c0e-8f4b-0a3f5d0a7b11", Time: at(9, 12, 44, 518203),
				Action: "kubernetes.pods.delete", Outcome: auditstream.OutcomeSuccess,
				Actor:   auditstream.Actor{ID: "priya.raman@bank.example", Type: auditstream.ActorUser},
				Targets: []auditstream.Target{{ID: "payments/api-6d4b75cb6d-hjk2x", Type: "pods", Name: "api-6d4b75cb6d-hjk2x"}},
				Source:  auditstream.Source{Address: "10.20.4.17", UserAgent: "kubectl/v1.35.1 (linux/amd64) kubernetes/8f15859"},
				Message: "delete pods payments/api-6d4b75cb6d-hjk2x",
			},
			attributes: map[string]any{
				"k8s.audit.level": "Metadata", "k8s.audit.stage": "ResponseComplete", "k8s.request.verb": "delete",
				"k8s.request.uri":    "/api/v1/namespaces/payments/pods/api-6d4b75cb6d-hjk2x",
				"k8s.namespace.name": "payments", "k8s.object.api_version": "v1",
				"http.response.status_code": int64(200),
				"k8s.user.groups":           []string{"platform", "system:authenticated"},
				"k8s.request.proxies":       []string{"192.0.2.10"},
				"k8s.audit.annotations": map[string]string{
					"authorization.k8s.io/decision": "allow",
					"authorization.k8s.io/reason":   `RBAC: allowed by ClusterRoleBinding "platform-admins" of ClusterRole "admin" to Group "platform"`,
				},
			},
		},
		{
			name: "a service account is refused a secret",
			event: auditstream.Event{
				ID: "b0f7c9d2-1c57-4b6d-9a3c-52f2ad1f4c9e", Time: at(9, 13, 2, 91),
				Action: "kubernetes.secrets.get", Outcome: auditstream.OutcomeFailure,
				Actor: auditstream.Actor{
					ID: "system:serviceaccount:ci:deployer", Type: auditstream.ActorService, Name: "ci/deployer",
				},
				Targets: []auditstream.Target{{ID: "payments/card-key", Type: "secrets", Name: "card-key"}},
				Source:  auditstream.Source{Address: "10.20.32.5", UserAgent: "deployer/1.4 Go-http-client/2.0"},
				Message: `secrets "card-key" is forbidden: User "system:serviceaccount:ci:deployer" cannot get resource "secrets"`,
			},
			attributes: map[string]any{
				"k8s.audit.level": "Metadata", "k8s.audit.stage": "ResponseComplete", "k8s.request.verb": "get",
				"k8s.request.uri": "/api/v1/namespaces/payments/secrets/card-key", "k8s.response.reason": "Forbidden",
				"k8s.namespace.name": "payments", "k8s.object.api_version": "v1",
				"k8s.user.uid":              "0d5ba0b4-4f2d-4a2f-9a53-c2f5f4a53f21",
				"http.response.status_code": int64(403),
				"k8s.user.groups":           []string{"system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"},
				"k8s.audit.annotations":     map[string]string{"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""},
			},
		},
		{
			name: "a shell in a container, before its end",
			event: auditstream.Event{
				ID: "f2a1a7de-6a1b-4b0d-bb5e-0c5a7c2f9f60/ResponseStarted", Time: at(9, 20, 0, 4),
				Action: "kubernetes.pods.exec.create", Outcome: auditstream.OutcomeSuccess,
				Actor:   auditstream.Actor{ID: "system:admin", Type: auditstream.ActorUser},
				Targets: []auditstream.Target{{ID: "payments/api-0", Type: "pods", Name: "api-0"}},
				Source:  auditstream.Source{Address: "2001:db8::17", UserAgent: "kubectl/v1.35.1"},
				Message: "create pods payments/api-0",
			},
			attributes: map[string]any{
				"k8s.audit.level": "Request", "k8s.audit.stage": "ResponseStarted", "k8s.request.verb": "create",
				"k8s.request.uri":    "/api/v1/namespaces/payments/pods/api-0/exec?command=sh&stdin=true&tty=true",
				"k8s.namespace.name": "payments", "k8s.object.api_version": "v1",
				"http.response.status_code":  int64(101),
				"k8s.user.groups":            []string{"system:masters"},
				"k8s.impersonated_user.name": "tom.becker@bank.example",
			},
		},
		{
			name: "a controller updates a deployment",
			event: auditstream.Event{
				ID: "4f2c8a0e-70f5-4f0a-8a0b-9f3f2f4d1a77", Time: at(9, 21, 10, 0),
				Action: "kubernetes.deployments.status.update", Outcome: auditstream.OutcomeSuccess,
				Actor: auditstream.Actor{
					ID: "system:kube-controller-manager", Type: auditstream.ActorSystem, Name: "kube-controller-manager",
				},
				Targets: []auditstream.Target{{ID: "payments/api", Type: "deployments.apps", Name: "api"}},
				Source:  auditstream.Source{Address: "127.0.0.1"},
				Message: "update deployments.apps payments/api",
			},
			attributes: map[string]any{
				"k8s.audit.level": "RequestResponse", "k8s.audit.stage": "ResponseComplete", "k8s.request.verb": "update",
				"k8s.request.uri":    "/apis/apps/v1/namespaces/payments/deployments/api/status",
				"k8s.namespace.name": "payments", "k8s.object.api_group": "apps", "k8s.object.api_version": "v1",
				"k8s.object.uid":            "9f3e9df2-2a5e-43d8-9b71-fb2b8ad3c0f8",
				"http.response.status_code": int64(200),
			},
		},
		{
			name: "nobody lists the nodes",
			event: auditstream.Event{
				ID: "11d3c7a0-0000-4000-8000-5f2c8a0e70f5", Time: at(9, 22, 0, 0),
				Action: "kubernetes.nodes.list", Outcome: auditstream.OutcomeFailure,
				Actor:   auditstream.Actor{ID: "system:anonymous"},
				Targets: []auditstream.Target{{ID: "*", Type: "nodes"}},
				Source:  auditstream.Source{Address: "198.51.100.150", UserAgent: "python-requests/2.32.3"},
				Message: "list nodes *",
			},
			attributes: map[string]any{
				"k8s.audit.level": "Metadata", "k8s.audit.stage": "ResponseComplete", "k8s.request.verb": "list",
				"k8s.request.uri": "/api/v1/nodes", "k8s.object.api_version": "v1", "k8s.response.reason": "Unauthorized",
				"http.response.status_code": int64(401),
			},
		},
		{
			name: "a request that is no resource, just received",
			event: auditstream.Event{
				ID: "77aa0a3e-45a1-4e0b-b9fb-0a4b6d1c2e3f/RequestReceived", Time: at(9, 23, 0, 1),
				Action: "kubernetes.get", Outcome: auditstream.OutcomeUnknown,
				Actor:   auditstream.Actor{ID: "system:node:worker-3", Type: auditstream.ActorSystem, Name: "node:worker-3"},
				Source:  auditstream.Source{Address: "10.20.40.3", UserAgent: "kubelet/v1.35.1"},
				Message: "get /healthz",
			},
			attributes: map[string]any{
				"k8s.audit.level": "Metadata", "k8s.audit.stage": "RequestReceived", "k8s.request.verb": "get",
				"k8s.request.uri": "/healthz",
			},
		},
		{
			name: "a handler that panicked",
			event: auditstream.Event{
				ID: "5d0a7b11-6c2f-4f0e-9a54-4c0e8f4b0a3f/Panic", Time: at(9, 24, 0, 0),
				Action: "kubernetes.configmaps.create", Outcome: auditstream.OutcomeFailure,
				Actor:   auditstream.Actor{ID: "zoe.vandijk@bank.example", Type: auditstream.ActorUser},
				Targets: []auditstream.Target{{ID: "portal/*", Type: "configmaps"}},
				Message: "create configmaps portal/*",
			},
			attributes: map[string]any{
				"k8s.audit.level": "Metadata", "k8s.audit.stage": "Panic", "k8s.request.verb": "create",
				"k8s.request.uri": "/api/v1/namespaces/portal/configmaps", "k8s.namespace.name": "portal",
				"k8s.object.api_version": "v1",
			},
		},
	}
}

func TestParseKubernetesRefuses(t *testing.T) {
	t.Parallel()
	const head = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1",`
	tests := map[string]struct{ line, want string }{
		"no verb":   {head + `"user":{"username":"a"}}`, `is a Kubernetes audit event without "verb" or "user.username"`},
		"no user":   {head + `"verb":"get","user":{}}`, `is a Kubernetes audit event without "verb" or "user.username"`},
		"bad time":  {head + `"verb":"get","user":{"username":"a"},"stageTimestamp":"now"}`, `has a time that is not in the form of RFC 3339`},
		"bad codes": {head + `"verb":"get","user":{"username":"a"},"responseStatus":{"code":"OK"}}`, `has a JSON string in "responseStatus.code", where a whole number belongs`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseLine([]byte(test.line))
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestKubernetesObjectsAreLeftOut(t *testing.T) {
	t.Parallel()
	e, err := parseLine([]byte(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","verb":"create",` +
		`"user":{"username":"a"},"objectRef":{"resource":"secrets","namespace":"n","name":"s"},` +
		`"requestObject":{"data":{"password":"aHVudGVyMg=="}},"responseObject":{"data":{"password":"aHVudGVyMg=="}}}`))
	require.NoError(t, err)
	for _, a := range e.Attributes {
		assert.NotContains(t, slog.GroupValue(a).String(), "aHVudGVyMg==")
	}
}
