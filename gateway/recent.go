package gateway

// recent is a map that forgets the oldest entries in bulk: turn makes room, and what
// was not put since the turn before is gone. The zero value is empty.
type recent[K comparable, V any] struct{ young, old map[K]V }

func (r *recent[K, V]) find(k K) (V, bool) {
	if v, ok := r.young[k]; ok {
		return v, true
	}
	v, ok := r.old[k]
	return v, ok
}

func (r *recent[K, V]) put(k K, v V) {
	if r.young == nil {
		r.young = map[K]V{}
	}
	r.young[k] = v
}

func (r *recent[K, V]) drop(k K) {
	delete(r.young, k)
	delete(r.old, k)
}

func (r *recent[K, V]) turn() { r.young, r.old = nil, r.young }
