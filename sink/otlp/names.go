package otlp

import "strings"

// The attribute names of a log record. They follow OpenTelemetry's draft on audit logging, OTEP 0267, as it stood when
// schemaVersion was set; the draft has development status, so this file is the only place that knows the names, and a
// change to one of them raises schemaVersion. The ones marked "ours" are not in the draft.
const (
	nameRecordID       = "audit.record.id"
	nameRecordTime     = "audit.record.time" // ours
	nameAction         = "audit.action"
	nameOutcome        = "audit.outcome"
	nameActorID        = "audit.actor.id"
	nameActorType      = "audit.actor.type"
	nameActorName      = "audit.actor.name" // ours
	nameTargetID       = "audit.target.id"
	nameTargetType     = "audit.target.type"
	nameTargetName     = "audit.target.name" // ours
	nameTargets        = "audit.targets"     // ours
	nameSourceID       = "audit.source.id"
	nameSourceType     = "audit.source.type"
	nameSequenceNumber = "audit.sequence.number"
	nameSchemaVersion  = "audit.schema.version"
	nameChanges        = "audit.changes" // ours

	// Semantic conventions v1.43.0.
	nameClientAddress  = "client.address"
	nameUserAgent      = "user_agent.original"
	nameServiceName    = "service.name"
	nameServiceVersion = "service.version"

	// The keys inside the lists of targets and changes.
	keyID     = "id"
	keyType   = "type"
	keyName   = "name"
	keyPath   = "path"
	keyBefore = "before"
	keyAfter  = "after"
)

const (
	// schemaVersion is the value of audit.schema.version.
	schemaVersion = "1"

	// sourceType is the value of audit.source.type: what numbers the records is a stream.
	sourceType = "stream"

	// renamePrefix is put before an attribute of the host whose own name is one of the record's.
	renamePrefix = "attribute."
)

// attributeName returns the name under which the host's attribute key is sent. A key that is one of our names would
// otherwise be in the record twice, and receivers keep whichever they like: an actor could be forged. It gets the
// prefix, and so does a key that already looks like the result, which keeps different keys different.
func attributeName(key string) string {
	core := key
	for strings.HasPrefix(core, renamePrefix) {
		core = core[len(renamePrefix):]
	}
	if reserved(core) {
		return renamePrefix + key
	}
	return key
}

// reserved reports whether name is one that the record itself uses, whether or not this one does.
func reserved(name string) bool {
	switch name {
	case nameRecordID, nameRecordTime, nameAction, nameOutcome, nameActorID, nameActorType, nameActorName,
		nameTargetID, nameTargetType, nameTargetName, nameTargets, nameSourceID, nameSourceType,
		nameSequenceNumber, nameSchemaVersion, nameChanges, nameClientAddress, nameUserAgent:
		return true
	}
	return false
}
