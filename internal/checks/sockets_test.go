package checks

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPackagesLeaveNoGoroutines runs the tests of every package of the main module that may open a socket once more, and
// looks for goroutines after the last of them. The module itself does without the detector: an overlay gives each of the
// packages a TestMain, or changes the end of the one that it has, and another go.mod the detector.
func TestPackagesLeaveNoGoroutines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"test", "-count=1", "-vet=off", "-mod=readonly", "-modfile", withDetector(t, dir), "-overlay"}
	replace := make(map[string]string)
	var found []string
	for _, p := range socketPackages(t) {
		overlay(t, dir, p, replace)
		found = append(found, p.ImportPath)
	}
	require.Contains(t, found, "github.com/auditstream/auditstream/sink/otlp", "the search finds the packages")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	args = append(args, write(t, dir, "overlay.json", string(text)))
	out, err := inMainModule(t, append(args, found...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// inMainModule returns a call of the go command there.
func inMainModule(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	return cmd
}

// testedPackage is what "go list" says about a package.
type testedPackage struct {
	Dir, ImportPath, Name              string
	Imports, TestImports, XTestImports []string
	TestGoFiles, XTestGoFiles          []string
}

// sockets are the imports by which a package or its tests come to sockets.
var sockets = []string{
	"net", "net/http", "google.golang.org/grpc", "github.com/auditstream/auditstream/sink/siemtest",
}

// socketPackages returns the packages that have tests and may open a socket.
func socketPackages(t *testing.T) []testedPackage {
	t.Helper()
	out, err := inMainModule(t, "list", "-json", "./...").Output()
	require.NoError(t, err)
	var packages []testedPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p testedPackage
		require.NoError(t, d.Decode(&p))
		imports := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		opens := slices.ContainsFunc(imports, func(path string) bool { return slices.Contains(sockets, path) })
		if opens && len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 {
			packages = append(packages, p)
		}
	}
	return packages
}

// withDetector writes a go.mod of the main module that has the detector, and returns its path.
func withDetector(t *testing.T, dir string) string {
	t.Helper()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	detector := regexp.MustCompile(`go\.uber\.org/goleak v\S+`).FindString(read("go.mod"))
	require.NotEmpty(t, detector)
	write(t, dir, "go.sum", read(filepath.Join(root, "go.sum"))+read("go.sum"))
	return write(t, dir, "go.mod", read(filepath.Join(root, "go.mod"))+"\nrequire "+detector+"\n")
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const (
	// end is how a TestMain ends, and checkedEnd what takes its place.
	end        = "os.Exit(m.Run())"
	checkedEnd = "exitWithoutGoroutines(m)"

	checkedExit = `package %s

import (
	"testing"

	"go.uber.org/goleak"
)

func exitWithoutGoroutines(m *testing.M) { goleak.VerifyTestMain(m) }
`
	checkedMain = `
func TestMain(m *testing.M) { exitWithoutGoroutines(m) }
`
)

// overlay notes in replace what makes the tests of a package end with a look for goroutines.
func overlay(t *testing.T, dir string, p testedPackage, replace map[string]string) {
	t.Helper()
	prefix := strings.ReplaceAll(p.ImportPath, "/", "_") + "_"
	name, rest := p.Name, checkedMain
	for _, file := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		path := filepath.Join(p.Dir, file)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if !strings.Contains(string(text), "\nfunc TestMain(") {
			continue
		}
		require.Equal(t, 1, strings.Count(string(text), end), "%s: its TestMain does not end with %s", path, end)
		parsed, err := parser.ParseFile(token.NewFileSet(), path, text, parser.PackageClauseOnly)
		require.NoError(t, err)
		name, rest = parsed.Name.Name, ""
		replace[path] = write(t, dir, prefix+file, strings.Replace(string(text), end, checkedEnd, 1))
	}
	const added = "goroutines_overlay_test.go"
	replace[filepath.Join(p.Dir, added)] = write(t, dir, prefix+added, fmt.Sprintf(checkedExit, name)+rest)
}
