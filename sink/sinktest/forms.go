package sinktest

import (
	"encoding/json"
	"fmt"
)

// prints returns the forms in which fmt prints a value.
func prints(v any) []string {
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, v))
	}
	return texts
}

// jsonOf returns a value in JSON, or nothing if it has no such form.
func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
