package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/auditstream/auditstream/bench/internal/corpus"
	"github.com/auditstream/auditstream/bench/internal/server"
)

// capture ships the events by auditstream and stores the bodies of its requests in a file, for the contenders that are
// the physical limit. The server is in the same process, for nobody measures this.
func capture(ctx context.Context, j *job) (any, error) {
	c, err := contenderByKey(j.Contender)
	if err != nil {
		return nil, err
	}
	server.AsSent()
	var mu sync.Mutex
	var bodies bytes.Buffer
	s, err := server.Start(server.Options{Keep: func(body []byte) {
		mu.Lock()
		defer mu.Unlock()
		_ = binary.Write(&bodies, binary.LittleEndian, uint32(len(body))) //nolint:gosec // a request is small
		_, _ = bodies.Write(body)
	}})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	j.Server = s.Addresses
	if _, err := measure(ctx, c, j); err != nil {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	return struct{}{}, os.WriteFile(j.Bodies, bodies.Bytes(), 0o600)
}

// readBodies returns what capture has stored.
func readBodies(path string) ([][]byte, error) {
	all, err := os.ReadFile(path) //nolint:gosec // the path is the program's own
	if err != nil {
		return nil, err
	}
	var bodies [][]byte
	for len(all) >= 4 {
		n := int(binary.LittleEndian.Uint32(all))
		if len(all) < 4+n {
			break
		}
		bodies = append(bodies, all[4:4+n:4+n])
		all = all[4+n:]
	}
	if len(all) > 0 || len(bodies) == 0 {
		return nil, errors.New("the stored bodies break off")
	}
	return bodies, nil
}

// bare sends bodies that are encoded already. It publishes nothing: all of its work is in finish.
type bare struct {
	bodies [][]byte
	send   func(ctx context.Context, body []byte) error
}

func (*bare) publisher() publish { return func(*corpus.Event) error { return nil } }

func (b *bare) finish(ctx context.Context, _ int) error {
	for _, body := range b.bodies {
		if err := b.send(ctx, body); err != nil {
			return err
		}
	}
	return nil
}

func openBare(group string, rpc, compress bool) func(context.Context, *job) (shipper, error) {
	return func(_ context.Context, j *job) (shipper, error) {
		bodies, err := readBodies(j.Bodies)
		if err != nil {
			return nil, err
		}
		if rpc {
			send, err := bareGRPC(j.Server.GRPC, compress)
			return &bare{bodies: bodies, send: send}, err
		}
		url := j.Server.HTTP + "/v1/logs"
		switch group {
		case groupSplunk, groupSplunkGzip:
			url = j.Server.HTTP + "/services/collector/event"
		case groupSumo, groupSumoGzip:
			url = j.Server.HTTP + sumoPath
		}
		return &bare{bodies: bodies, send: barePost(url, compress)}, nil
	}
}

// barePost is net/http and nothing else.
func barePost(url string, compress bool) func(context.Context, []byte) error {
	client := &http.Client{Transport: &http.Transport{}}
	return func(ctx context.Context, body []byte) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		if compress {
			req.Header.Set("Content-Encoding", "gzip")
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", res.StatusCode)
		}
		return err
	}
}

// bareGRPC is gRPC without protobuf.
func bareGRPC(address string, compress bool) (func(context.Context, []byte) error, error) {
	options := []grpc.CallOption{grpc.ForceCodecV2(server.Codec{})}
	if compress {
		server.AsSent()
		options = append(options, grpc.UseCompressor("gzip"))
	}
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(address, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, body []byte) error {
		return conn.Invoke(ctx, server.ExportMethod, &server.Frame{Bytes: body}, &server.Frame{}, options...)
	}, nil
}

// openCopy copies the bodies from here to there.
func openCopy(_ context.Context, j *job) (shipper, error) {
	bodies, err := readBodies(j.Bodies)
	if err != nil {
		return nil, err
	}
	var there []byte
	return &bare{bodies: bodies, send: func(_ context.Context, body []byte) error {
		there = append(there[:0], body...)
		return nil
	}}, nil
}
