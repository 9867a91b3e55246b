// Package sinktest has what tests need on either side of package sink: a [Recorder], which stands in for a SIEM in the
// tests of a host, and [TestSink], which checks a driver against the contract of [sink.Sink] and [sink.Destination].
//
// # Testing a host
//
//	rec := &sinktest.Recorder{}
//	require.NoError(t, stream.Configure(rec))
//	deleteProject(stream, "p1") // publishes
//	require.NoError(t, stream.Flush(ctx))
//	require.Equal(t, []string{"project.delete"}, rec.Actions())
//
// # Testing a driver
//
//	func TestConformance(t *testing.T) {
//		sinktest.TestSink(t, sinktest.Harness{Start: startFakeServer, Secrets: []string{canary}})
//	}
//
// A failure quotes the rule that was broken, in the words of the contract.
//
// The package imports testing, which adds flags to a program that links it: import it in tests only. Package siemtest
// has fake servers that programs may link.
package sinktest
