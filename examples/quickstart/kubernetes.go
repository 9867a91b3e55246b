package main

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/auditstream/auditstream"
)

// kubernetesVersion is the apiVersion of the lines that a Kubernetes API server writes with --audit-log-path.
const kubernetesVersion = "audit.k8s.io/v1"

// kubernetesEvent is what is read of a Kubernetes audit event. The objects of request and response are not: of a Secret
// they hold the secret.
type kubernetesEvent struct {
	Level            string            `json:"level"`
	AuditID          string            `json:"auditID"`
	Stage            string            `json:"stage"`
	RequestURI       string            `json:"requestURI"`
	Verb             string            `json:"verb"`
	User             kubernetesUser    `json:"user"`
	ImpersonatedUser *kubernetesUser   `json:"impersonatedUser"`
	SourceIPs        []string          `json:"sourceIPs"`
	UserAgent        string            `json:"userAgent"`
	ObjectRef        *kubernetesObject `json:"objectRef"`
	ResponseStatus   kubernetesStatus  `json:"responseStatus"`
	Received         time.Time         `json:"requestReceivedTimestamp"`
	StageTime        time.Time         `json:"stageTimestamp"`
	Annotations      map[string]string `json:"annotations"`
}

type kubernetesUser struct {
	Username string   `json:"username"`
	UID      string   `json:"uid"`
	Groups   []string `json:"groups"`
}

type kubernetesObject struct {
	Resource    string `json:"resource"`
	Subresource string `json:"subresource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	UID         string `json:"uid"`
	APIGroup    string `json:"apiGroup"`
	APIVersion  string `json:"apiVersion"`
}

type kubernetesStatus struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// parseKubernetes reads an Event of audit.k8s.io/v1.
func parseKubernetes(line []byte) (auditstream.Event, error) {
	var doc kubernetesEvent
	if err := decode(line, &doc); err != nil {
		return auditstream.Event{}, err
	}
	if doc.Verb == "" || doc.User.Username == "" {
		return auditstream.Event{}, errors.New(`is a Kubernetes audit event without "verb" or "user.username"`)
	}
	e := auditstream.Event{
		ID:         doc.id(),
		Time:       cmp.Or(doc.StageTime, doc.Received),
		Action:     doc.action(),
		Outcome:    doc.outcome(),
		Actor:      doc.User.actor(),
		Source:     auditstream.Source{UserAgent: doc.UserAgent},
		Message:    doc.message(),
		Attributes: doc.attributes(),
	}
	if len(doc.SourceIPs) > 0 {
		e.Source.Address = doc.SourceIPs[0] // the client; proxies follow
	}
	if doc.ObjectRef != nil {
		e.Targets = []auditstream.Target{doc.ObjectRef.target()}
	}
	return e, nil
}

// id returns the audit ID. One request is logged once a stage under the same audit ID, and an event's ID has to tell
// those apart, or a SIEM drops all but one: only the last stage has the plain ID.
func (doc *kubernetesEvent) id() string {
	if doc.AuditID == "" || doc.Stage == "" || doc.Stage == "ResponseComplete" {
		return doc.AuditID
	}
	return doc.AuditID + "/" + doc.Stage
}

// action returns "kubernetes.pods.delete", "kubernetes.pods.exec.create", or "kubernetes.get" for what is no resource.
func (doc *kubernetesEvent) action() string {
	parts := []string{"kubernetes"}
	if o := doc.ObjectRef; o != nil && o.Resource != "" {
		parts = append(parts, o.Resource)
		if o.Subresource != "" {
			parts = append(parts, o.Subresource)
		}
	}
	return strings.Join(append(parts, doc.Verb), ".")
}

// outcome goes by the HTTP status, which is not there before the response.
func (doc *kubernetesEvent) outcome() auditstream.Outcome {
	switch code := doc.ResponseStatus.Code; {
	case code >= http.StatusBadRequest, doc.Stage == "Panic":
		return auditstream.OutcomeFailure
	case code > 0:
		return auditstream.OutcomeSuccess
	}
	return auditstream.OutcomeUnknown
}

// message returns what the server said, or the request in short.
func (doc *kubernetesEvent) message() string {
	if doc.ResponseStatus.Message != "" {
		return doc.ResponseStatus.Message
	}
	if doc.ObjectRef == nil {
		return doc.Verb + " " + doc.RequestURI
	}
	t := doc.ObjectRef.target()
	return doc.Verb + " " + string(t.Type) + " " + t.ID
}

func (doc *kubernetesEvent) attributes() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("k8s.audit.level", doc.Level),
		slog.String("k8s.audit.stage", doc.Stage),
		slog.String("k8s.request.uri", doc.RequestURI),
		slog.String("k8s.request.verb", doc.Verb),
		slog.String("k8s.response.reason", doc.ResponseStatus.Reason),
		slog.String("k8s.user.uid", doc.User.UID),
	}
	if o := doc.ObjectRef; o != nil {
		attrs = append(attrs,
			slog.String("k8s.namespace.name", o.Namespace),
			slog.String("k8s.object.api_group", o.APIGroup),
			slog.String("k8s.object.api_version", o.APIVersion),
			slog.String("k8s.object.uid", o.UID),
		)
	}
	attrs = slices.DeleteFunc(attrs, func(a slog.Attr) bool { return a.Value.String() == "" })
	if doc.ResponseStatus.Code != 0 {
		attrs = append(attrs, slog.Int("http.response.status_code", doc.ResponseStatus.Code))
	}
	if len(doc.User.Groups) > 0 {
		attrs = append(attrs, slog.Any("k8s.user.groups", doc.User.Groups))
	}
	if doc.ImpersonatedUser != nil {
		attrs = append(attrs, slog.String("k8s.impersonated_user.name", doc.ImpersonatedUser.Username))
	}
	if len(doc.SourceIPs) > 1 {
		attrs = append(attrs, slog.Any("k8s.request.proxies", doc.SourceIPs[1:]))
	}
	if len(doc.Annotations) > 0 {
		attrs = append(attrs, slog.Any("k8s.audit.annotations", doc.Annotations))
	}
	return attrs
}

// actor tells people, service accounts and the cluster's own parts apart by the user names that Kubernetes reserves.
func (u *kubernetesUser) actor() auditstream.Actor {
	a := auditstream.Actor{ID: u.Username, Type: auditstream.ActorUser}
	account, isService := strings.CutPrefix(u.Username, "system:serviceaccount:")
	part, isSystem := strings.CutPrefix(u.Username, "system:")
	switch {
	case isService:
		a.Type = auditstream.ActorService
		a.Name = strings.Replace(account, ":", "/", 1)
	case part == "anonymous" && isSystem:
		a.Type = "" // nobody knows
	case part == "admin" && isSystem: // the person with the administrator's client certificate
	case isSystem:
		a.Type = auditstream.ActorSystem
		a.Name = part
	}
	return a
}

// target names an object as kubectl does. A collection has a star for a name.
func (o *kubernetesObject) target() auditstream.Target {
	t := auditstream.Target{ID: cmp.Or(o.Name, "*"), Type: auditstream.TargetType(o.Resource), Name: o.Name}
	if o.Namespace != "" {
		t.ID = o.Namespace + "/" + t.ID
	}
	if o.APIGroup != "" {
		t.Type += auditstream.TargetType("." + o.APIGroup)
	}
	return t
}
