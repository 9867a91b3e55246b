package sinktest

// rule is a sentence of the contract, word for word as it stands in package sink.
type rule struct{ name, text string }

// The rules that the suite checks.
var (
	ruleOpen = rule{
		"open does nothing",
		"Open checks every field and returns a sink that has not done any I/O, started a goroutine or dialled yet.",
	}
	ruleProblems = rule{
		"problems",
		"All problems are reported at once, as [*ConfigError] values joined by [errors.Join].",
	}
	ruleString = rule{
		"string",
		"String names the provider, scheme, host and port, and nothing else: no path, query or user information, " +
			"where credentials live. It works on an invalid configuration too.",
	}
	ruleOrder = rule{
		"order",
		"Deliver makes one attempt to deliver batch, in order, and reports how far it got: the n leading events have " +
			"been answered for by the destination and are never offered again, and err says what becomes of the rest.",
	}
	ruleSilent = rule{
		"silent success",
		"It returns len(batch) and nil when everything has been accepted, which is the only answer that is silent.",
	}
	ruleCount = rule{
		"count",
		"A count outside [0, len(batch)] is taken as 0 and Retry.",
	}
	ruleReason = rule{
		"reason",
		"It returns n < len(batch) only with an error.",
	}
	rulePrefix = rule{
		"prefix",
		"When a batch needs several requests, it stops at the first that fails and returns the prefix.",
	}
	ruleOversize = rule{
		"oversize",
		"When an event can never be sent, because its encoding exceeds what the provider takes, it returns k+1 and " +
			"Reject(err, k) without sending event k.",
	}
	ruleContext = rule{
		"context",
		"When ctx ends, it returns soon, with the prefix that was answered for and ctx.Err().",
	}
	ruleDoes = rule{
		"does not",
		"What it does not do: sleep, retry, start goroutines that outlive all calls, modify what batch refers to, or " +
			"put a secret, a URL or raw text from the destination into an error.",
	}
	rulePanic = rule{
		"panic",
		"A panic is recovered, reported with its stack, and means Retry.",
	}
	rulePlain = rule{
		"plain values",
		"In it ID, Time, Outcome, ObservedTime and StreamID are always set, every string is valid UTF-8, no key is " +
			"empty or repeated within one list of attributes, nothing is nested deeper than 32 levels, and every value " +
			"in Attributes and Changes is plain, which means one of",
	}
	ruleRetry = rule{
		"retry",
		"It is the zero Verdict and the meaning of every error that is not an *Error: the fault is expected to pass " +
			"(a time-out, a reset, 429, any 5xx).",
	}
	ruleBlock = rule{
		"block",
		"VerdictBlock keeps the remaining events too, and says that somebody has to act: a wrong token, a wrong URL, " +
			"a bad certificate.",
	}
	ruleReject = rule{
		"reject",
		"VerdictReject says that the destination refused events for their content: [Error.Index] names which of " +
			"batch[:n], or [Error.Count] says how many when the destination does not tell which.",
	}
	ruleSplit = rule{
		"split",
		"VerdictSplit says that the destination refused batch[n:] as a whole, because of some event in it or for its " +
			"size.",
	}
	ruleOverlap = rule{
		"calls at once",
		"MaxInFlight() int: how many calls of Deliver may overlap at most. A stream whose Config.InFlight allows it makes " +
			"up to as many at once, each with a batch of its own that is answered for by itself.",
	}
	ruleIdle = rule{
		"idle",
		"An idle sink costs nothing: it gives back its connections about 25 s after its last Deliver, by a timer of " +
			"its own, and starts no goroutine and dials nothing before its first.",
	}
)
