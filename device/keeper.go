package device

import (
	"time"

	"go.uber.org/zap"
)

const (
	queued       = 64 // records that wait for a slow disk
	firstDiskTry = time.Second
	maxDiskTry   = 30 * time.Second
)

// keeper appends records to the spool, or to the ring while the spool takes none. A
// disk that hangs keeps the keeper, never the sampler.
type keeper struct {
	spool Spool
	ring  *ring
	lane  *lane
	board *board
	log   *zap.Logger
	queue chan []byte // closed when no more come

	failing bool
	try     time.Time // when the disk is asked again
	pause   time.Duration
}

func newKeeper(s Spool, r *ring, l *lane, b *board, log *zap.Logger) *keeper {
	return &keeper{spool: s, ring: r, lane: l, board: b, log: log, queue: make(chan []byte, queued)}
}

// put takes a record over. It does not wait.
func (k *keeper) put(record []byte) {
	select {
	case k.queue <- record:
	default:
		k.inMemory(record)
	}
}

// run ends when the queue was closed and is empty.
func (k *keeper) run() {
	for record := range k.queue {
		k.keep(record)
	}
}

func (k *keeper) keep(record []byte) {
	if k.failing && time.Now().Before(k.try) {
		k.inMemory(record)
		return
	}
	seq, err := k.spool.Append(record)
	if err != nil {
		if k.board.spool(spoolAppends, err) {
			k.log.Error("the spool takes no reading: they are kept in memory until it does", zap.Error(err))
			k.pause = firstDiskTry
		}
		k.failing = true
		k.try = time.Now().Add(k.pause)
		k.pause = min(2*k.pause, maxDiskTry)
		k.inMemory(record)
		return
	}
	if k.failing {
		k.failing = false
		k.log.Info("the spool takes readings again")
		k.board.spool(spoolAppends, nil)
		k.ring.rescue(k.spool, k.log)
	}
	k.lane.push(key{false, seq})
}

func (k *keeper) inMemory(record []byte) {
	seq, err := k.ring.Append(record)
	if err != nil {
		k.log.Error("a reading is lost", zap.Error(err))
		return
	}
	k.lane.push(key{true, seq})
}
