package httpsend_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/auditstream/auditstream/sink/internal/httpsend"
)

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	tests := map[string]struct {
		values []string
		date   string
		want   time.Duration
	}{
		"none":                     {},
		"empty":                    {values: []string{""}},
		"zero":                     {values: []string{"0"}},
		"seconds":                  {values: []string{"7"}, want: 7 * time.Second},
		"white space":              {values: []string{" \t7 "}, want: 7 * time.Second},
		"leading zeros":            {values: []string{"007"}, want: 7 * time.Second},
		"the maximum":              {values: []string{"300"}, want: 5 * time.Minute},
		"over the maximum":         {values: []string{"301"}, want: 5 * time.Minute},
		"a day":                    {values: []string{"86400"}, want: 5 * time.Minute},
		"overflows a Duration":     {values: []string{"9223372037"}, want: 5 * time.Minute},
		"wraps around":             {values: []string{"99999999999"}, want: 5 * time.Minute},
		"overflows an int64":       {values: []string{"92233720368547758080"}, want: 5 * time.Minute},
		"negative":                 {values: []string{"-7"}},
		"signed":                   {values: []string{"+7"}},
		"fraction":                 {values: []string{"1.5"}},
		"exponent":                 {values: []string{"1e9"}},
		"hexadecimal":              {values: []string{"0x10"}},
		"words":                    {values: []string{"soon"}},
		"other digits":             {values: []string{"٧"}},
		"date":                     {values: []string{at(20 * time.Second)}, want: 20 * time.Second},
		"date in the past":         {values: []string{at(-20 * time.Second)}},
		"date far away":            {values: []string{at(240 * time.Hour)}, want: 5 * time.Minute},
		"the year 9999":            {values: []string{"Fri, 31 Dec 9999 23:59:59 GMT"}, want: 5 * time.Minute},
		"the year 1":               {values: []string{"Mon, 01 Jan 0001 00:00:00 GMT"}},
		"date in RFC 850 form":     {values: []string{"Wednesday, 04-Mar-26 05:06:17 GMT"}, want: 10 * time.Second},
		"date in ANSI C form":      {values: []string{"Wed Mar  4 05:06:17 2026"}, want: 10 * time.Second},
		"server's clock is behind": {values: []string{at(-time.Hour + 9*time.Second)}, date: at(-time.Hour), want: 9 * time.Second},
		"server's clock is ahead":  {values: []string{at(time.Hour + 9*time.Second)}, date: at(time.Hour), want: 9 * time.Second},
		"bad Date":                 {values: []string{at(9 * time.Second)}, date: "yesterday", want: 9 * time.Second},
		"repeated":                 {values: []string{"3", "9", "5"}, want: 9 * time.Second},
		"repeated, one bad":        {values: []string{"x", "9"}, want: 9 * time.Second},
		"joined":                   {values: []string{"3, 9,5"}, want: 9 * time.Second},
		"joined, one bad":          {values: []string{"3, -9,,x"}, want: 3 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Retry-After": test.values}
			if test.date != "" {
				h.Set("Date", test.date)
			}
			assert.Equal(t, test.want, httpsend.ParseRetryAfter(h, now))
		})
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, v := range []string{
		"", "7", "-7", "9223372037", "99999999999", "92233720368547758080", "Fri, 31 Dec 9999 23:59:59 GMT", "1, 2",
		"Mon, 01 Jan 0001 00:00:00 GMT",
	} {
		f.Add(v, v, v, int64(1772600767))
	}
	f.Fuzz(func(t *testing.T, a, b, date string, unix int64) {
		h := http.Header{"Retry-After": {a, b}, "Date": {date}}
		d := httpsend.ParseRetryAfter(h, time.Unix(unix, 0))
		if d < 0 || d > 5*time.Minute {
			t.Fatalf("%v for %q, %q and %q", d, a, b, date)
		}
	})
}
