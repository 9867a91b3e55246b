package sumologic

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/auditstream/auditstream/sink/internal/settings"
)

// The limits of metadata. Those of fields are Sumo Logic's, from "Fields" in its documentation; what exceeds them would
// be dropped without a failure. maxMetadata keeps a request's headers at a size that servers and proxies take.
const (
	maxMetadata   = 1024
	maxFields     = 30
	maxFieldKey   = 255
	maxFieldValue = 200
)

// setMetadata checks the metadata and puts it into the headers of every request.
func (c Config) setMetadata(check *settings.Check, header http.Header) {
	for _, m := range []struct{ field, header, value string }{
		{"Category", "X-Sumo-Category", c.Category},
		{"Name", "X-Sumo-Name", c.Name},
		{"Host", "X-Sumo-Host", c.Host},
	} {
		if m.value != "" && checkText(check, m.field, m.value, maxMetadata, "") {
			header.Set(m.header, m.value)
		}
	}
	if len(c.Fields) > maxFields {
		check.Failf("Fields", "has %d fields: Sumo Logic takes at most %d", len(c.Fields), maxFields)
	}
	pairs := make([]string, 0, len(c.Fields))
	for _, key := range slices.Sorted(maps.Keys(c.Fields)) {
		field := fmt.Sprintf("Fields[%.100q]", key)
		switch value := c.Fields[key]; {
		case key == "":
			check.Fail(field, "", "has an empty name: give it one or remove it")
		case value == "":
			check.Fail(field, "", "has an empty value: give it one or remove it")
		default:
			checkText(check, field+" (the name)", key, maxFieldKey, ",=")
			checkText(check, field, value, maxFieldValue, ",=")
			pairs = append(pairs, key+"="+value)
		}
	}
	if len(pairs) > 0 {
		header.Set("X-Sumo-Fields", strings.Join(pairs, ","))
	}
}

// checkText reports whether a value can stand in a header, and says what is allowed if not.
func checkText(check *settings.Check, field, value string, limit int, forbidden string) bool {
	problem := ""
	switch {
	case len(value) > limit:
		problem = fmt.Sprintf("has %d bytes: write at most %d", len(value), limit)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		problem = "holds a line break, a control character or a letter beyond ASCII: write printable ASCII"
	case strings.TrimSpace(value) != value:
		problem = "has a space at its beginning or end: take it out"
	case strings.ContainsAny(value, forbidden):
		problem = "holds a comma or an equals sign, which separate fields: write another character"
	default:
		return true
	}
	check.Fail(field, fmt.Sprintf("%.100q", value), problem)
	return false
}
