package splunk

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// isIn reports whether a receipt is in.
func isIn(r *receipt) bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// owed makes a request that is answered with a number.
func owed(t *testing.T, c *channel, id ackID) *receipt {
	t.Helper()
	number, floor := c.begin()
	r := &receipt{channel: c, id: id, done: make(chan struct{})}
	require.True(t, c.owe(id, floor, r))
	c.answered(number)
	return r
}

// TestChannelOvertaken has an indexer restarted and give a request the number of an older one. The acknowledgement of
// the new one is heard before the answer of its own request, and must not be taken for that of the old one, whose events
// may be gone.
func TestChannelOvertaken(t *testing.T) {
	c := newChannel()
	old := owed(t, c, 0)
	number, floor := c.begin()
	c.confirm(0)
	c.release()
	assert.False(t, isIn(old), "a request is under way")
	assert.Empty(t, c.open(), "it is not asked for any more: the indexer says so once")
	r := &receipt{channel: c, id: 0, done: make(chan struct{})}
	assert.False(t, c.owe(0, floor, r))
	c.answered(number)
	assert.False(t, isIn(old))
	assert.False(t, isIn(r))
	assert.True(t, c.lost)
}

func TestChannelWaitsForRequestsBegunBefore(t *testing.T) {
	c := newChannel()
	old := owed(t, c, 0)
	before, _ := c.begin()
	c.confirm(0)
	c.release()
	after, floor := c.begin()
	assert.False(t, isIn(old))
	c.answered(before)
	assert.True(t, isIn(old), "a request that was begun later does not matter")
	require.True(t, c.owe(2, floor, &receipt{channel: c, id: 2, done: make(chan struct{})}))
	c.answered(after)
	assert.Equal(t, []ackID{2}, c.open())
}

func TestChannelNumbers(t *testing.T) {
	for name, test := range map[string]struct {
		before []ackID // numbers of answers that came before the request was begun
		during []ackID // and while it was under way
		id     ackID
		want   bool
	}{
		"first":                    {nil, nil, 0, true},
		"counts from 1":            {nil, nil, 1, true},
		"next":                     {[]ackID{0}, nil, 1, true},
		"with gaps":                {[]ackID{0}, nil, 9, true},
		"overtaken":                {[]ackID{0}, []ackID{2}, 1, true},
		"outstanding":              {[]ackID{0}, nil, 0, false},
		"outstanding since":        {[]ackID{0}, []ackID{1}, 1, false},
		"lower than one before":    {[]ackID{4, 5}, nil, 3, false},
		"of a restart, overtaking": {[]ackID{4, 5}, []ackID{6}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChannel()
			for _, id := range test.before {
				owed(t, c, id)
			}
			number, floor := c.begin()
			for _, id := range test.during {
				owed(t, c, id)
			}
			r := &receipt{channel: c, id: test.id, done: make(chan struct{})}
			assert.Equal(t, test.want, c.owe(test.id, floor, r))
			c.answered(number)
			assert.Equal(t, !test.want, c.lost)
			assert.Equal(t, !test.want, c.retired)
			assert.Equal(t, test.want, len(c.open()) > 0)
		})
	}
}

// TestChannelKeepsNothing holds that an idle channel is a name and nothing else.
func TestChannelKeepsNothing(t *testing.T) {
	c := newChannel()
	for i := range 100 {
		r := owed(t, c, ackID(i))
		c.confirm(r.id)
		c.release()
		require.True(t, isIn(r))
	}
	number, _ := c.begin()
	c.answered(number)
	assert.Nil(t, c.owed)
	assert.Nil(t, c.flying)
}

// TestQuestions holds that no question grows without bounds.
func TestQuestions(t *testing.T) {
	a := &acks{}
	c := newChannel()
	a.channels = []*channel{c}
	for i := range 2*maxIDs + 1 {
		owed(t, c, ackID(i))
	}
	var sizes []int
	var last ackID = none
	for _, q := range a.questions() {
		sizes = append(sizes, len(q.ids))
		for _, id := range q.ids {
			assert.Equal(t, last+1, id, "in order")
			last = id
		}
	}
	assert.Equal(t, []int{maxIDs, maxIDs, 1}, sizes)
	for name, id := range map[string]ackID{"long": 1<<63 - 1} {
		assert.Less(t, maxIDs*len(fmt.Sprintf(`"%d":false,`, id)), 64<<10, name)
	}
}
