package auditstream

import (
	"context"
	"time"

	"github.com/auditstream/auditstream/internal/record"
)

// PublishObserved is Publish on a wall clock that shows another time: synctest has no clock that jumps.
func (s *Stream) PublishObserved(e Event, wall time.Time) error {
	var encoder record.Encoder
	e.ObservedTime = wall
	rec, info, err := encoder.Append(nil, &e, s.cfg.MaxEventBytes)
	if err != nil {
		return err
	}
	return s.admit(context.Background(), rec, info, false)
}
