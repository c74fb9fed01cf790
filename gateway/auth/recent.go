package auth

// recent remembers the entries that were used last: at least limit of them, and at
// most twice as many. The zero value is empty.
type recent[K comparable, V any] struct {
	young, old map[K]V
}

func (r *recent[K, V]) get(k K) (V, bool) {
	v, ok := r.young[k]
	if !ok {
		v, ok = r.old[k]
	}
	return v, ok
}

// put keeps v. When limit entries have been put, those that were not put since the
// last time are forgotten.
func (r *recent[K, V]) put(k K, v V, limit int) {
	if _, ok := r.young[k]; !ok && len(r.young) >= limit {
		r.young, r.old = nil, r.young
	}
	if r.young == nil {
		r.young = map[K]V{}
	}
	r.young[k] = v
}
