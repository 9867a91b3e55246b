package httpsend

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestGenerations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		p := generations{transport: func() *http.Transport {
			made++
			return new(http.Transport)
		}}
		first := p.join()
		assert.Same(t, first, p.join(), "requests at the same time share it")
		p.leave(first)
		time.Sleep(IdleTimeout + time.Second)
		assert.Same(t, first, p.join(), "one request was under way")
		p.leave(first)
		p.leave(first)
		time.Sleep(IdleTimeout - time.Second)
		assert.Same(t, first, p.join())
		p.expire(first) // the timer had fired already when the request joined
		assert.Same(t, first, p.join())
		p.leave(first)
		p.leave(first)
		time.Sleep(IdleTimeout + time.Second)
		synctest.Wait()
		assert.Nil(t, p.current, "an idle client has none")

		second := p.join()
		assert.NotSame(t, first, second)
		p.moveOn(second)
		third := p.join()
		assert.NotSame(t, second, third)
		p.moveOn(second)
		p.leave(second)
		assert.Same(t, third, p.join(), "what becomes of an old one does not matter")
		time.Sleep(MaxConnAge)
		fourth := p.join()
		assert.NotSame(t, third, fourth)
		p.leave(third)
		p.leave(third)
		p.leave(fourth)
		p.close()
		assert.Nil(t, p.current)
		p.close()
		assert.Equal(t, 4, made)
	})
}
