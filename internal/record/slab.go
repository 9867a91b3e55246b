package record

// slab hands out slices cut from larger allocations, so that a batch of events costs few of them. What it has handed
// out it never touches again; it is freed when the last slice of an allocation is.
type slab[T any] struct {
	free []T
	next int // length of the next allocation
}

// The lengths of a slab's allocations double between these: one event must not cost much, a batch few.
const (
	minSlab = 16
	maxSlab = 512
)

// take returns n zero elements, or nil for none.
func (s *slab[T]) take(n int) []T {
	if n == 0 {
		return nil
	}
	if n > len(s.free) {
		s.next = min(max(2*s.next, minSlab), maxSlab)
		s.free = make([]T, max(n, s.next))
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}
