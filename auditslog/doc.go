// Package auditslog lets code that writes its audit records with [log/slog] publish them through a Stream: [NewHandler]
// makes a [slog.Handler] of it.
//
//	audit := slog.New(auditslog.NewHandler(stream, nil))
//	audit.InfoContext(ctx, "Project Payments was deleted",
//		"action", "project.delete",
//		"outcome", "success",
//		slog.Group("actor", "id", "u-1842", "type", "user", "name", "Alice"),
//		slog.Group("target", "id", "p-77", "type", "project", "name", "Payments"),
//		"reason", "requested by the owner")
//
// # Which records
//
// The handler may have a logger to itself, as above, or stand in front of the handler of the program's log and pick out
// the audit records. Options.Marker names the attribute that marks them:
//
//	log := slog.New(auditslog.NewHandler(stream, &auditslog.Options{
//		Marker: "audit",
//		Next:   slog.NewJSONHandler(os.Stderr, nil),
//	}))
//	log.Info("listening", "port", 8080)                                           // to Next
//	log.Info("Alice signed in", "audit", "session.create", "actor.id", "u-1842")  // to the stream
//
// The value of the marker is true, or the action, or a group that holds what the event is made of. Options.Level picks
// records by their level instead, or besides. A record is either published or handed to Next. For audit records in the
// program's log as well, combine both handlers with [slog.NewMultiHandler] and leave Next unset.
//
// # What the event is made of
//
//	Time        the record's time
//	Message     the record's message
//	Action      the attribute "action", or else the message
//	Outcome     the attribute "outcome": success, failure or unknown, in any case, or a bool; or else unknown
//	Actor       the attributes "actor.id", "actor.type" and "actor.name"; or else what [auditstream.WithActor] has said in
//	            the context; or else Options.Actor
//	Targets     the attributes "target.id", "target.type" and "target.name"
//	Source      the attributes "source.address" and "source.user_agent"; or else what [auditstream.WithSource] has said
//	Changes     the attribute "changes"
//	Attributes  everything else
//	TraceID     the span in the context
//
// These are the names that the event has for its parts in JSON; Options.Keys has others. A dotted name may be written as
// such, or as an attribute in a group. Instead of the parts, "actor", "target", "source" and "changes" may hold the
// [auditstream.Actor], [auditstream.Target], [auditstream.Source] or slice of [auditstream.Change] itself; "target" may be
// repeated, or hold a slice; and a text or a number is the id, or the address. Changes may also be written as a group of
// the properties, each a group of "before" and "after". What does not fit stays among the attributes.
//
// Groups that Logger.WithGroup has opened do not count in these names: they say where other attributes go, and not who
// has acted. The level of a record and its place in the source are dropped.
//
// # Errors
//
// A Logger drops what its handler returns. Set Options.OnError to learn that a record was not accepted: it gets the event.
//
// A Stream's own log records are never published, whatever their level: they go to Next. So its Config.Logger may be the
// very logger that publishes to it.
package auditslog
