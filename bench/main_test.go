package main

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	p, err := parse(nil)
	require.NoError(t, err)
	assert.Equal(t, 200_000, p.events)
	assert.Equal(t, 5, p.rounds)
	assert.Equal(t, ".", p.out)

	p, err = parse([]string{"-quick"})
	require.NoError(t, err)
	assert.Equal(t, quickEvents, p.events)
	assert.Equal(t, 1, p.rounds)
	assert.Empty(t, p.out, "a quick run must not replace the results of a real one")

	p, err = parse([]string{"-quick", "-out", ".."})
	require.NoError(t, err)
	assert.Equal(t, "..", p.out)
}

func TestParseRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument":     {"quick"},
		"no directory":    {"-out", "nowhere"},
		"too few events":  {"-events", "10"},
		"no round":        {"-rounds", "0"},
		"an unknown part": {"-only", "everything"},
		"a bad pattern":   {"-match", "("},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(args)
			assert.Error(t, err)
		})
	}
}

// TestContenders: figures are found by group and name, and each group has one whom the others are compared with.
func TestContenders(t *testing.T) {
	keys := make(map[string]bool)
	references := make(map[string]int)
	groups := make(map[string]bool)
	for _, c := range contenders() {
		assert.False(t, keys[c.key()], "%s is there twice", c.key())
		keys[c.key()] = true
		groups[c.group] = true
		if c.reference {
			references[c.group]++
			assert.Equal(t, nameOurs, c.name)
		}
		found, err := contenderByKey(c.key())
		require.NoError(t, err)
		assert.Equal(t, c.name, found.name)
	}
	assert.Len(t, groups, 9)
	for group := range groups {
		assert.Equal(t, 1, references[group], group)
	}
	_, err := contenderByKey("nobody")
	assert.Error(t, err)
}

func TestMatching(t *testing.T) {
	var keys []string
	for _, c := range matching(contenders(), regexp.MustCompile("^Splunk / (splunk-hec-go|Collector)")) {
		keys = append(keys, c.key())
	}
	assert.Equal(t, []string{"Splunk / auditstream", "Splunk / Collector's exporter", "Splunk / splunk-hec-go"}, keys)
	assert.Len(t, matching(contenders(), regexp.MustCompile("")), len(contenders()))
}

func TestDrivers(t *testing.T) {
	for _, name := range driverNames {
		d, err := driverNamed(name)
		require.NoError(t, err)
		j := &job{}
		j.Server.HTTP, j.Server.GRPC = "http://127.0.0.1:1", "http://127.0.0.1:2"
		_, err = d.destination(j).Open()
		assert.NoError(t, err, name)
	}
	_, err := driverNamed("nobody")
	assert.Error(t, err)
}

func TestVersionsAndMachine(t *testing.T) {
	assert.Contains(t, machine(), "cores")
	assert.Contains(t, machine(), "go1.")
}
