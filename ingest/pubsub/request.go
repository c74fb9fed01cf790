package pubsub

import (
	"sync"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// What one request may carry: the service takes 512 KiB of it.
const (
	maxIDs   = 2500
	maxBytes = 512<<10 - 1<<10
)

// call is a method that takes ack ids, with all of its request but them.
type call struct {
	method string
	head   []byte
	field  protowire.Number // of the ack ids
}

const (
	methodPull        = "/google.pubsub.v1.Subscriber/StreamingPull"
	methodAcknowledge = "/google.pubsub.v1.Subscriber/Acknowledge"
	methodModify      = "/google.pubsub.v1.Subscriber/ModifyAckDeadline"
)

func acknowledge(subscription string) call {
	return call{methodAcknowledge, appendString(nil, 1, subscription), 2}
}

// modify sets the deadline of messages, from now on; 0 hands them back.
func modify(subscription string, deadline time.Duration) call {
	head := appendString(nil, 1, subscription)
	head = protowire.AppendTag(head, 3, protowire.VarintType)
	return call{methodModify, protowire.AppendVarint(head, uint64(deadline/time.Second)), 4}
}

// request is a call in wire form, with the ack ids gathered so far.
type request struct {
	call  *call
	wire  *[]byte
	body  mem.Buffer // wire, once it is sealed
	ids   int
	bytes int       // of the messages
	until time.Time // when the last of their leases ends
	first time.Time // when the first id came
}

func (c *call) request() *request {
	wire := bodies.Get(0)
	*wire = append(*wire, c.head...)
	return &request{call: c, wire: wire, first: time.Now()}
}

func (r *request) full(next []byte) bool {
	return r.ids == maxIDs || r.ids > 0 && len(*r.wire)+len(next)+8 > maxBytes
}

func (r *request) add(id []byte) {
	b := protowire.AppendTag(*r.wire, r.call.field, protowire.BytesType)
	*r.wire = protowire.AppendBytes(b, id)
	r.ids++
}

// seal ends the gathering.
func (r *request) seal() { r.body = mem.NewBuffer(r.wire, &bodies) }

// free gives the bytes back, once gRPC has let go of them too.
func (r *request) free() { r.body.Free() }

// without is r, not sealed, less the ids that drop names.
func (r *request) without(drop func(id string) bool) *request {
	left := r.call.request()
	left.until, left.first = r.until, r.first
	for i := 0; i < len(*r.wire); {
		key, from, to := field(*r.wire, i)
		if id := (*r.wire)[from:to]; key == uint64(r.call.field)<<3|typeBytes && !drop(string(id)) {
			left.add(id)
		}
		i = to
	}
	return left
}

func appendString(b []byte, field protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// bodies are the requests' bytes. Full ones are the rule when it matters, and the
// number of them is bounded by the messages that are outstanding.
var bodies pool

type pool struct{ sync.Pool }

// Get returns an empty body, whatever the length.
func (p *pool) Get(int) *[]byte {
	if b, ok := p.Pool.Get().(*[]byte); ok {
		*b = (*b)[:0]
		return b
	}
	b := make([]byte, 0, maxBytes)
	return &b
}

func (p *pool) Put(b *[]byte) { p.Pool.Put(b) }
