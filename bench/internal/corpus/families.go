package corpus

// A family is a kind of audited action: what may be done, to what, and which attributes tell about it.
type family struct {
	targetType string
	actions    []string
	messages   []string // %s stands for the actor, the target and the values of the text attributes, in this order
	attributes [Attributes]attribute
}

// An attribute is a key with the rule by which its values are made.
type attribute struct {
	key   string
	kind  Kind
	value func(g *generator) value
}

// value is an attribute's value.
type value struct {
	text   span
	number int64
}

var families = [...]family{
	{
		targetType: "project",
		actions:    []string{"deployment.start", "deployment.finish", "deployment.cancel", "release.create", "release.progress"},
		messages: []string{
			"Deployed release %[3]s of %[2]s to %[4]s for tenant %[5]s",
			"%[1]s promoted %[2]s %[3]s to %[4]s; change ticket approved by %[6]s",
			"Deployment of %[2]s %[3]s to %[4]s was queued behind another one of tenant %[5]s",
		},
		attributes: [Attributes]attribute{
			{"deployment.release", Text, (*generator).version},
			{"deployment.environment", Text, (*generator).environment},
			{"deployment.tenant", Text, (*generator).company},
			{"deployment.approved_by", Text, (*generator).email},
			{"deployment.id", Text, (*generator).deploymentID},
			{"deployment.duration_ms", Number, (*generator).duration},
			{"deployment.machines", Number, (*generator).small},
			{"deployment.forced", Flag, (*generator).flag},
			{"request.id", Text, (*generator).hex32},
			{"request.path", Text, (*generator).path},
		},
	},
	{
		targetType: "session",
		actions:    []string{"session.create", "session.refuse", "session.end", "mfa.challenge", "mfa.fail"},
		messages: []string{
			"%[1]s signed in from %[5]s by %[3]s",
			"Sign-in of %[1]s by %[3]s was refused: the code had expired",
			"The session of %[1]s on %[6]s ended after a time of inactivity",
		},
		attributes: [Attributes]attribute{
			{"auth.method", Text, (*generator).method},
			{"auth.provider", Text, (*generator).company},
			{"geo.city", Text, (*generator).city},
			{"device.name", Text, (*generator).host},
			{"session.fingerprint", Text, (*generator).hex32},
			{"auth.attempts", Number, (*generator).small},
			{"session.lifetime_s", Number, (*generator).duration},
			{"auth.mfa", Flag, (*generator).flag},
			{"request.id", Text, (*generator).hex32},
			{"user.email", Text, (*generator).email},
		},
	},
	{
		targetType: "repository",
		actions:    []string{"git.push", "git.force_push", "branch.protect", "branch.unprotect", "pull_request.merge"},
		messages: []string{
			"%[1]s pushed %[3]s to %[4]s of %[2]s",
			"%[1]s merged a pull request into %[4]s of %[2]s after a review by %[5]s",
			"Protection of %[4]s in %[2]s was changed by %[1]s on behalf of %[5]s",
		},
		attributes: [Attributes]attribute{
			{"git.commit", Text, (*generator).hex40},
			{"git.ref", Text, (*generator).branch},
			{"git.reviewer", Text, (*generator).email},
			{"git.remote", Text, (*generator).host},
			{"git.path", Text, (*generator).path},
			{"git.commits", Number, (*generator).small},
			{"git.bytes", Number, (*generator).large},
			{"git.signed", Flag, (*generator).flag},
			{"request.id", Text, (*generator).hex32},
			{"git.transport", Text, (*generator).method},
		},
	},
	{
		targetType: "variable",
		actions:    []string{"variable.update", "variable.create", "variable.delete", "secret.rotate", "secret.read"},
		messages: []string{
			"Variable %[2]s was changed by %[1]s in scope %[3]s",
			"%[1]s rotated the secret behind %[2]s; the old one is valid for tenant %[4]s until tonight",
			"%[2]s was read by a step of %[6]s in %[3]s",
		},
		attributes: [Attributes]attribute{
			{"variable.scope", Text, (*generator).environment},
			{"variable.tenant", Text, (*generator).company},
			{"variable.set", Text, (*generator).path},
			{"variable.owner", Text, (*generator).email},
			{"variable.checksum", Text, (*generator).hex40},
			{"variable.revision", Number, (*generator).small},
			{"variable.length", Number, (*generator).duration},
			{"variable.sensitive", Flag, (*generator).flag},
			{"request.id", Text, (*generator).hex32},
			{"request.host", Text, (*generator).host},
		},
	},
	{
		targetType: "team",
		actions:    []string{"member.add", "member.remove", "role.grant", "role.revoke", "api_key.create"},
		messages: []string{
			"%[1]s added %[3]s to %[2]s",
			"%[1]s granted a role in %[2]s to %[3]s, valid in %[4]s",
			"%[3]s was removed from %[2]s, which %[5]s had asked for",
		},
		attributes: [Attributes]attribute{
			{"member.email", Text, (*generator).email},
			{"role.scope", Text, (*generator).environment},
			{"role.requested_by", Text, (*generator).company},
			{"role.ticket", Text, (*generator).ticket},
			{"directory.host", Text, (*generator).host},
			{"role.permissions", Number, (*generator).small},
			{"role.expires_s", Number, (*generator).large},
			{"role.inherited", Flag, (*generator).flag},
			{"request.id", Text, (*generator).hex32},
			{"request.path", Text, (*generator).path},
		},
	},
}
