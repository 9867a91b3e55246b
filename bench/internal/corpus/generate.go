package corpus

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"
)

// A span is a part of the text.
type span struct{ at, length uint32 }

// inPool marks the beginning of a span that lies in the pool.
const inPool = 1 << 31

// A generator writes the text that events refer to.
type generator struct {
	random *rand.Rand
	text   strings.Builder // what is hardly met twice
	pool   strings.Builder // what occurs again and again, once and close together: a processor's cache has it at hand
	pooled map[string]span // in pool
	block  []byte
	line   []byte
	uid    []byte
	values []any // the texts that a message is made of
}

// Generate returns n events. The same seed makes the same events.
func Generate(n int, seed uint64) *Corpus {
	g := &generator{
		random: rand.New(rand.NewPCG(seed, 0x5eed)), //nolint:gosec // the same events in every run are the point
		pooled: make(map[string]span),
	}
	c := &Corpus{slots: make([]byte, n*slots*slotSize)}
	micros := int64(0)
	for i := range n {
		micros += g.random.Int64N(40_000)
		g.block = c.slots[i*slots*slotSize:][:slots*slotSize]
		g.event(micros)
	}
	g.join(c)
	return c
}

// join puts the texts behind the pool, and moves what refers to them.
func (g *generator) join(c *Corpus) {
	c.text = g.pool.String() + g.text.String()
	shift := uint32(g.pool.Len()) //nolint:gosec // a corpus is far below 2 GB
	for i := range c.Len() {
		block := c.slots[i*slots*slotSize:][:slots*slotSize]
		kinds := &families[number(block, slotFamily)].attributes
		for slot := range slotFamily {
			if slot >= slotAttributes && kinds[slot-slotAttributes].kind != Text {
				continue
			}
			at := binary.LittleEndian.Uint32(block[slot*slotSize:])
			if at&inPool != 0 {
				at &^= inPool
			} else {
				at += shift
			}
			binary.LittleEndian.PutUint32(block[slot*slotSize:], at)
		}
	}
}

// event writes one event into the block.
func (g *generator) event(micros int64) {
	kind := g.random.IntN(len(families))
	f := &families[kind]
	g.setNumber(slotFamily, int64(kind))
	g.setNumber(slotTime, micros)
	g.set(slotID, g.fresh(g.uuid(micros)))
	g.set(slotAction, g.common(pick(g, f.actions)))
	g.set(slotOutcome, g.common(pick(g, outcomes)))

	actor := g.random.IntN(900)
	role, name := pick(g, roles), personName(actor)
	if role != "user" {
		name = services[actor%len(services)] + " agent"
	}
	g.set(slotActorID, g.common(fmt.Sprintf("%ss-%d", role, 1000+actor)))
	g.set(slotActorType, g.common(role))
	g.set(slotActorName, g.common(name))

	target := g.random.IntN(1500)
	targetName := fmt.Sprintf("%s-%s-%d", services[target%len(services)], parts[target/7%len(parts)], target%23)
	g.set(slotTargetID, g.common(fmt.Sprintf("%ss-%d", f.targetType, 1+target)))
	g.set(slotTargetType, g.common(f.targetType))
	g.set(slotTargetName, g.common(targetName))
	g.set(slotAddress, g.address())
	g.set(slotUserAgent, g.userAgent())

	g.values = append(g.values[:0], name, targetName)
	for k := range f.attributes {
		v := f.attributes[k].value(g)
		if f.attributes[k].kind == Text {
			g.set(slotAttributes+k, v.text)
			g.values = append(g.values, g.read(v.text))
		} else {
			g.setNumber(slotAttributes+k, v.number)
		}
	}
	g.set(slotMessage, g.fresh(fmt.Appendf(g.line[:0], pick(g, f.messages), g.values...)))
}

func (g *generator) set(slot int, s span) {
	binary.LittleEndian.PutUint32(g.block[slot*slotSize:], s.at)
	binary.LittleEndian.PutUint32(g.block[slot*slotSize+4:], s.length)
}

func (g *generator) setNumber(slot int, n int64) {
	binary.LittleEndian.PutUint64(g.block[slot*slotSize:], uint64(n)) //nolint:gosec // it is read as one
}

// fresh appends text that is hardly met twice.
func (g *generator) fresh(text []byte) span {
	g.line = text
	at := g.text.Len()
	_, _ = g.text.Write(text)
	return span{uint32(at), uint32(len(text))} //nolint:gosec // a corpus is far below 2 GB
}

// common appends text that is met often, once.
func (g *generator) common(text string) span {
	s, ok := g.pooled[text]
	if !ok {
		s = span{uint32(g.pool.Len()) | inPool, uint32(len(text))} //nolint:gosec // a corpus is far below 2 GB
		_, _ = g.pool.WriteString(text)
		g.pooled[text] = s
	}
	return s
}

// read returns what a span refers to.
func (g *generator) read(s span) string {
	if s.at&inPool != 0 {
		at := s.at &^ inPool
		return g.pool.String()[at : at+s.length]
	}
	return g.text.String()[s.at : s.at+s.length]
}

func pick(g *generator, from []string) string { return from[g.random.IntN(len(from))] }

// uuid returns an identifier that rises with time, as version 7 does.
func (g *generator) uuid(micros int64) []byte {
	millis := uint64(epoch.Add(time.Duration(micros) * time.Microsecond).UnixMilli())
	high, low := g.random.Uint64(), g.random.Uint64()
	return fmt.Appendf(g.line[:0], "%08x-%04x-7%03x-%04x-%012x",
		millis>>16, millis&0xffff, high&0xfff, low>>48&0x3fff|0x8000, low&0xffff_ffff_ffff)
}

// address is a client's: mostly of some office networks, some of the wide world, some of version 6.
func (g *generator) address() span {
	switch n := g.random.IntN(20); {
	case n < 12:
		return g.common(fmt.Sprintf("10.%d.%d.%d", 20+g.random.IntN(2), g.random.IntN(8), 1+g.random.IntN(120)))
	case n < 17:
		return g.fresh(fmt.Appendf(g.line[:0], "%d.%d.%d.%d",
			11+g.random.IntN(180), g.random.IntN(256), g.random.IntN(256), 1+g.random.IntN(254)))
	default:
		return g.fresh(fmt.Appendf(g.line[:0], "2001:db8:%x:%x::%x",
			g.random.IntN(1<<16), g.random.IntN(1<<16), g.random.IntN(1<<16)))
	}
}

func (g *generator) userAgent() span {
	if g.random.IntN(4) == 0 {
		return g.common(fmt.Sprintf(pick(g, tools), g.random.IntN(6), g.random.IntN(4)))
	}
	return g.common(fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.%d Safari/537.36",
		pick(g, platforms), 128+g.random.IntN(8), 6000+g.random.IntN(3)*73, g.random.IntN(3)*17))
}

func personName(n int) string {
	return givenNames[n%len(givenNames)] + " " + familyNames[n/len(givenNames)%len(familyNames)]
}

func (g *generator) email() value {
	n := g.random.IntN(900)
	name := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '.'
		case r > unicode.MaxASCII || r == '\'':
			return -1
		}
		return unicode.ToLower(r)
	}, personName(n))
	return value{text: g.common(fmt.Sprintf("%s%d@%s.example", name, n%7, services[n%len(services)]))}
}

func (g *generator) version() value {
	return value{text: g.common(fmt.Sprintf("2026.%d.%d", 1+g.random.IntN(4), g.random.IntN(150)))}
}

func (g *generator) environment() value { return value{text: g.common(pick(g, environments))} }
func (g *generator) company() value     { return value{text: g.common(pick(g, companies))} }
func (g *generator) city() value        { return value{text: g.common(pick(g, cities))} }
func (g *generator) method() value      { return value{text: g.common(pick(g, methods))} }

func (g *generator) deploymentID() value {
	return value{text: g.fresh(fmt.Appendf(g.line[:0], "Deployments-%d", 100_000+g.random.IntN(900_000)))}
}

func (g *generator) ticket() value {
	return value{text: g.fresh(fmt.Appendf(g.line[:0], "CHG%07d", g.random.IntN(10_000_000)))}
}

func (g *generator) host() value {
	return value{text: g.common(fmt.Sprintf("%s-%02d.%s.internal.example",
		pick(g, parts), g.random.IntN(6), pick(g, services)))}
}

func (g *generator) path() value {
	return value{text: g.fresh(fmt.Appendf(g.line[:0], "/api/spaces-%d/%s/%s-%d",
		1+g.random.IntN(40), pick(g, services), pick(g, parts), g.random.IntN(100_000)))}
}

func (g *generator) branch() value {
	return value{text: g.common(fmt.Sprintf("refs/heads/%s/%s-%d", pick(g, branches), pick(g, services), g.random.IntN(12)))}
}

func (g *generator) hex32() value {
	return value{text: g.fresh(fmt.Appendf(g.line[:0], "%016x%016x", g.random.Uint64(), g.random.Uint64()))}
}

func (g *generator) hex40() value {
	return value{text: g.fresh(fmt.Appendf(g.line[:0], "%016x%016x%08x",
		g.random.Uint64(), g.random.Uint64(), g.random.Uint32()))}
}

func (g *generator) duration() value { return value{number: g.random.Int64N(90_000)} }
func (g *generator) small() value    { return value{number: g.random.Int64N(120)} }
func (g *generator) large() value    { return value{number: g.random.Int64N(40_000_000)} }
func (g *generator) flag() value     { return value{number: g.random.Int64N(2)} }
