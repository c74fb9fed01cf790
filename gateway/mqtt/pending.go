package mqtt

// pending is the order in which a session's QoS 1 publishes came. A PUBACK leaves
// only after those of all before it (MQTT-4.6.0-2).
type pending struct {
	queue []waiting // of which those before head are gone
	head  int
	first uint64 // the place of queue[head]
}

type waiting struct {
	id   uint16
	done bool
}

const keptQueue = 32 // room that an empty queue may keep

// add puts a packet id at the end and returns its place.
func (p *pending) add(id uint16) (place uint64) {
	if p.head > 0 && len(p.queue) == cap(p.queue) {
		n := copy(p.queue, p.queue[p.head:])
		p.queue, p.head = p.queue[:n], 0
	}
	p.queue = append(p.queue, waiting{id: id})
	return p.first + uint64(len(p.queue)-p.head-1)
}

// done marks a place, and calls ack for what may be acknowledged now, in order.
func (p *pending) done(place uint64, ack func(id uint16)) {
	p.queue[p.head+int(place-p.first)].done = true
	for p.head < len(p.queue) && p.queue[p.head].done {
		ack(p.queue[p.head].id)
		p.head++
		p.first++
	}
	if p.head == len(p.queue) {
		p.queue, p.head = p.queue[:0], 0
		if cap(p.queue) > keptQueue {
			p.queue = nil
		}
	}
}
