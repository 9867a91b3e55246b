package corpus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// The slots of an event, in the order in which they are stored: the text of its fields, its attributes, its kind, and
// its time in microseconds since the epoch.
const (
	slotID = iota
	slotAction
	slotOutcome
	slotActorID
	slotActorType
	slotActorName
	slotTargetID
	slotTargetType
	slotTargetName
	slotAddress
	slotUserAgent
	slotMessage
	slotAttributes
	slotFamily = slotAttributes + Attributes
	slotTime   = slotFamily + 1
	slots      = slotTime + 1
)

// slotSize is what a slot takes: for a text where it begins and how long it is, otherwise a number.
const slotSize = 8

// epoch is when the first event happened, about.
var epoch = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

// Corpus holds events in two blocks without pointers: the garbage collector does not walk them, whatever the contender
// under test makes it do. In size they are what a server's own data may be.
type Corpus struct {
	slots []byte
	text  string
}

// Len returns how many events there are.
func (c *Corpus) Len() int { return len(c.slots) / (slots * slotSize) }

// Read fills e with event i. Beyond the last event it begins anew.
func (c *Corpus) Read(i int, e *Event) {
	size := slots * slotSize
	at := i % c.Len() * size
	block := c.slots[at : at+size : at+size]
	e.ID = c.at(block, slotID)
	e.Action = c.at(block, slotAction)
	e.Outcome = c.at(block, slotOutcome)
	e.ActorID = c.at(block, slotActorID)
	e.ActorType = c.at(block, slotActorType)
	e.ActorName = c.at(block, slotActorName)
	e.TargetID = c.at(block, slotTargetID)
	e.TargetType = c.at(block, slotTargetType)
	e.TargetName = c.at(block, slotTargetName)
	e.Address = c.at(block, slotAddress)
	e.UserAgent = c.at(block, slotUserAgent)
	e.Message = c.at(block, slotMessage)
	e.Time = epoch.Add(time.Duration(number(block, slotTime)) * time.Microsecond)
	keys := &families[number(block, slotFamily)].attributes
	for k := range e.Attributes {
		a := &e.Attributes[k]
		a.Key, a.Kind = keys[k].key, keys[k].kind
		if a.Kind == Text {
			a.Text, a.Number = c.at(block, slotAttributes+k), 0
		} else {
			a.Text, a.Number = "", number(block, slotAttributes+k)
		}
	}
}

// at returns the text in a slot.
func (c *Corpus) at(block []byte, slot int) string {
	at := binary.LittleEndian.Uint32(block[slot*slotSize:])
	return c.text[at : at+binary.LittleEndian.Uint32(block[slot*slotSize+4:])]
}

// number returns the number in a slot.
func number(block []byte, slot int) int64 {
	return int64(binary.LittleEndian.Uint64(block[slot*slotSize:])) //nolint:gosec // it was written as one
}

// Write stores the corpus in a file, so that it is made once for many processes.
func (c *Corpus) Write(path string) (err error) {
	f, err := os.Create(path) //nolint:gosec // the path is the program's own
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], uint64(len(c.slots)))
	binary.LittleEndian.PutUint64(head[8:], uint64(len(c.text)))
	_, _ = w.Write(head[:])
	_, _ = w.Write(c.slots)
	_, _ = w.WriteString(c.text)
	return w.Flush()
}

// Open reads a corpus from a file.
func Open(path string) (*Corpus, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the program's own
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var head [16]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	c := &Corpus{slots: make([]byte, binary.LittleEndian.Uint64(head[:]))}
	if _, err := io.ReadFull(f, c.slots); err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	var text strings.Builder
	length := int(binary.LittleEndian.Uint64(head[8:])) //nolint:gosec // it was written from an int
	text.Grow(length)
	if _, err := io.CopyBuffer(struct{ io.Writer }{&text}, f, make([]byte, 1<<20)); err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	if text.Len() != length || c.Len() == 0 {
		return nil, fmt.Errorf("corpus: %s breaks off", path)
	}
	c.text = text.String()
	return c, nil
}
