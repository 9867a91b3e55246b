package checks

import (
	"bytes"
	"cmp"
	"encoding/json"
	"go/version"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// minimumVersions is the list below which no module may fall, and repository the way to its root.
const (
	minimumVersions = "testdata/minimum-versions.txt"
	repository      = "../.."
)

// minimums are the oldest versions allowed: of modules by path, of the language as "go", of the compiler as "toolchain".
// A line that begins with the directory of a module speaks of that module alone.
type minimums map[string]string

func readMinimums(t *testing.T) minimums {
	t.Helper()
	text, err := os.ReadFile(minimumVersions)
	require.NoError(t, err)
	m := make(minimums)
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		require.True(t, len(words) == 2 || len(words) == 3, "%s: %q is not a module and a version", minimumVersions, line)
		key := strings.Join(words[:len(words)-1], " ")
		require.Empty(t, m[key], "%s has two lines about %s", minimumVersions, key)
		m[key] = words[len(words)-1]
	}
	return m
}

// of returns the oldest version of a module that is allowed in the module at dir, if there is one.
func (m minimums) of(dir, module string) (string, bool) {
	if v, ok := m[dir+" "+module]; ok {
		return v, true
	}
	v, ok := m[module]
	return v, ok
}

// modules returns the directories of all go.mod files of the repository.
func modules(t *testing.T) []string {
	t.Helper()
	var dirs []string
	require.NoError(t, filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2):
			return filepath.SkipDir
		case d.Name() == "go.mod":
			dir, err := filepath.Rel(repository, filepath.Dir(path))
			dirs = append(dirs, filepath.ToSlash(dir))
			return err
		}
		return nil
	}))
	require.Contains(t, dirs, ".")
	require.Contains(t, dirs, "internal/checks")
	return dirs
}

// goCommand runs the go command in a module, on what is on this machine.
func goCommand(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join(repository, filepath.FromSlash(dir))
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go %s in %s: %s", strings.Join(args, " "), dir, &stderr)
	return out
}

// TestNoDependencyIsOld compares what every module of the repository is built from with the committed list, so that no
// dependency goes back behind a version that was looked at, be it by hand, by a merge, or by a requirement that is gone.
func TestNoDependencyIsOld(t *testing.T) {
	oldest := readMinimums(t)
	for _, dir := range modules(t) {
		t.Run(dir, func(t *testing.T) {
			listed := 0
			for line := range strings.Lines(string(goCommand(t, dir, "list", "-m", "-f", "{{.Path}} {{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}}", "all"))) {
				module, v, _ := strings.Cut(strings.TrimSpace(line), " ")
				least, ok := oldest.of(dir, module)
				if !ok || v == "" { // of this repository
					continue
				}
				listed++
				assert.GreaterOrEqual(t, compareVersions(v, least), 0,
					"%s is built with %s %s, which is older than %s; run: go get -C %s %s@%s", dir, module, v, least, dir, module, least)
			}
			assert.NotZero(t, listed, "nothing of %s is on the list", dir)
		})
	}
}

// requirements is what "go mod edit -json" says of a go.mod.
type requirements struct {
	Go      string
	Require []struct {
		Path     string
		Indirect bool
	}
	Replace []struct{ Old struct{ Path string } }
}

// TestTheListOfVersionsIsWhole looks for dependencies that nobody has put on the list: all of the main module's, and what
// the others ask for themselves. It also looks at the language and the compiler.
func TestTheListOfVersionsIsWhole(t *testing.T) {
	oldest := readMinimums(t)
	for _, dir := range modules(t) {
		var r requirements
		require.NoError(t, json.Unmarshal(goCommand(t, dir, "mod", "edit", "-json"), &r))
		own := make(map[string]bool)
		for _, replaced := range r.Replace {
			own[replaced.Old.Path] = true
		}
		for _, required := range r.Require {
			if own[required.Path] || required.Indirect && dir != "." {
				continue
			}
			_, ok := oldest.of(dir, required.Path)
			assert.True(t, ok, "%s requires %s, which is not in internal/checks/%s: add it there", dir, required.Path, minimumVersions)
		}
		assert.GreaterOrEqual(t, version.Compare("go"+r.Go, oldest["go"]), 0, "the go directive of %s is older than %s", dir, oldest["go"])
	}
	for _, module := range []string{
		"golang.org/x/crypto", "golang.org/x/net", "golang.org/x/sys", "golang.org/x/text", "google.golang.org/grpc",
		"google.golang.org/protobuf", "github.com/klauspost/compress",
	} {
		assert.Contains(t, oldest, module, "it reads what a network sends")
	}
	assert.GreaterOrEqual(t, version.Compare(runtime.Version(), oldest["toolchain"]), 0,
		"this is %s; tests and releases are made with %s at least, for the fixes in its standard library", runtime.Version(), oldest["toolchain"])
}

// compareVersions compares two versions as https://semver.org says; what is built into a pseudo-version takes part as a
// pre-release.
func compareVersions(a, b string) int {
	coreA, preA := splitVersion(a)
	coreB, preB := splitVersion(b)
	if c := slices.CompareFunc(coreA, coreB, compareIdentifiers); c != 0 {
		return c
	}
	if len(preA) == 0 || len(preB) == 0 {
		return cmp.Compare(len(preB), len(preA)) // a release comes after its pre-releases
	}
	return slices.CompareFunc(preA, preB, compareIdentifiers)
}

func splitVersion(v string) (core, pre []string) {
	v, _, _ = strings.Cut(strings.TrimPrefix(v, "v"), "+")
	release, rest, ok := strings.Cut(v, "-")
	if ok {
		pre = strings.Split(rest, ".")
	}
	return strings.Split(release, "."), pre
}

func compareIdentifiers(a, b string) int {
	n, errA := strconv.ParseUint(a, 10, 64)
	m, errB := strconv.ParseUint(b, 10, 64)
	switch {
	case errA == nil && errB == nil:
		return cmp.Compare(n, m)
	case errA == nil:
		return -1 // numbers come before words
	case errB == nil:
		return 1
	}
	return cmp.Compare(a, b)
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	rising := []string{
		"v0.0.0-20191010083416-a7dc8b61c822", "v0.0.0-20260928230214-8a89bd6388cc", "v0.9.0", "v0.10.0-rc.1", "v0.10.0-rc.2",
		"v0.10.0-rc.10", "v0.10.0-rc.x", "v0.10.0", "v0.10.1-0.20240526193622-a339e1f7089c", "v0.10.1", "v1.2.3+incompatible", "v1.10.0",
	}
	for i, a := range rising {
		for j, b := range rising {
			assert.Equal(t, cmp.Compare(i, j), compareVersions(a, b), "%s and %s", a, b)
		}
	}
}
