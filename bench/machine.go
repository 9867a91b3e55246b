package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// compared are the modules whose versions decide what the figures are.
var compared = []string{
	"go.opentelemetry.io/otel/sdk/log",
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp",
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc",
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/splunkhecexporter",
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/sumologicexporter",
	"github.com/fuyufjh/splunk-hec-go",
	"github.com/hashicorp/eventlogger",
	"github.com/klauspost/compress",
	"google.golang.org/grpc",
	"google.golang.org/protobuf",
}

// versions returns the modules of this binary that matter, as "path version".
func versions() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	built := make(map[string]string)
	for _, m := range info.Deps {
		built[m.Path] = m.Version
	}
	var list []string
	for _, path := range compared {
		if version, ok := built[path]; ok {
			list = append(list, path+" "+version)
		}
	}
	return list
}

// machine describes what this runs on.
func machine() string {
	return fmt.Sprintf("%s, %d cores, %s of memory, %s %s, %s %s/%s",
		cmp.Or(field("/proc/cpuinfo", "model name"), "unknown processor"), runtime.NumCPU(), memory(),
		cmp.Or(line("/proc/sys/kernel/ostype"), runtime.GOOS), line("/proc/sys/kernel/osrelease"),
		runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func memory() string {
	var kilobytes int
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kilobytes); err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%d GiB", (kilobytes+1<<19)>>20)
}

// field returns what stands behind a name and a colon in a file of /proc.
func field(path, name string) string {
	text, err := os.ReadFile(path) //nolint:gosec // the paths are above
	if err != nil {
		return ""
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func line(path string) string {
	text, _ := os.ReadFile(path) //nolint:gosec // the paths are above
	return strings.TrimSpace(string(text))
}
