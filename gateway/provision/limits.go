package provision

import (
	"cmp"
	"net/netip"
	"sync"
	"time"
)

const (
	defaultCertificateRate = 6000
	defaultAddressRate     = 600
	defaultPrefixRate      = 600
	renewalRate            = 600 // of one address
	wrongRate              = 600 // of one address: requests that cannot be read

	per         = time.Minute // in which so many may come, at once or spread
	maxLimited  = 32 << 10    // in each of two generations of each kind, some 5 MiB
	networkBits = 64          // what one subscriber has of IPv6
	unlike      = 3           // characters at a serial's end
)

// limits hold certificates, addresses and prefixes of serials to their rates (GCRA).
// Each kind is remembered apart: who makes up serials does not make an address
// forgotten. The zero value is ready for use.
type limits struct {
	mu                               sync.Mutex
	certificates, addresses, serials recent[limited, time.Time]
}

// limited is of a profile, of "", which is renewals', or of nonsense, which is no
// profile's name.
type limited struct{ profile, of string }

// take books a request, or returns how long it is too early and books nothing.
func (l *limits) take(p *Profile, r *Request, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return takeAll(now,
		rate{&l.certificates, limited{p.ID, r.Bootstrap.key()}, cmp.Or(p.Rates.Certificate, defaultCertificateRate)},
		rate{&l.addresses, limited{p.ID, network(r.From)}, cmp.Or(p.Rates.Address, defaultAddressRate)},
		rate{&l.serials, limited{p.ID, r.Unit.Serial[:len(r.Unit.Serial)-unlike]}, cmp.Or(p.Rates.Prefix, defaultPrefixRate)})
}

// takeRenewal is take for a renewal.
func (l *limits) takeRenewal(from netip.Addr, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return takeAll(now, rate{&l.addresses, limited{"", network(from)}, renewalRate})
}

const nonsense = "?"

// takeWrong is take for a request that could not be read.
func (l *limits) takeWrong(from netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	takeAll(now, rate{&l.addresses, limited{nonsense, network(from)}, wrongRate})
}

// wrong says how long an address waits that has sent too much of it.
func (l *limits) wrong(from netip.Addr, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due, _ := l.addresses.get(limited{nonsense, network(from)})
	if due.Before(now) {
		return 0
	}
	return max(due.Add(per/wrongRate).Sub(now)-per, 0)
}

type rate struct {
	due    *recent[limited, time.Time] // when all that came would be through at exactly the rate
	key    limited
	minute int
}

func takeAll(now time.Time, rates ...rate) (wait time.Duration) {
	due := make([]time.Time, len(rates))
	for i, r := range rates {
		due[i], _ = r.due.get(r.key)
		if due[i].Before(now) {
			due[i] = now
		}
		due[i] = due[i].Add(per / time.Duration(r.minute))
		wait = max(wait, due[i].Sub(now)-per)
	}
	if wait > 0 {
		return wait
	}
	for i, r := range rates {
		r.due.put(r.key, due[i], maxLimited)
	}
	return 0
}

func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if network, err := a.Prefix(networkBits); err == nil {
			a = network.Addr()
		}
	}
	return a.String()
}

// recent remembers the entries that were put last: at least limit, at most twice as many.
type recent[K comparable, V any] struct{ young, old map[K]V }

func (r *recent[K, V]) get(k K) (V, bool) {
	v, ok := r.young[k]
	if !ok {
		v, ok = r.old[k]
	}
	return v, ok
}

func (r *recent[K, V]) put(k K, v V, limit int) {
	if _, ok := r.young[k]; !ok && len(r.young) >= limit {
		r.young, r.old = nil, r.young
	}
	if r.young == nil {
		r.young = map[K]V{}
	}
	r.young[k] = v
}
