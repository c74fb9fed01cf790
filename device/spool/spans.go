package spool

import (
	"slices"
	"sort"
)

// span is a range of numbers, both ends in it.
type span struct{ first, last uint64 }

// spans is a set of numbers: sorted, disjoint, never adjacent.
type spans []span

// at returns the index of the first span that ends at or after n.
func (s spans) at(n uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].last >= n })
}

func (s spans) has(n uint64) bool {
	i := s.at(n)
	return i < len(s) && s[i].first <= n
}

// free returns the first number at or after n that is not in the set; with the
// highest number in it, that one.
func (s spans) free(n uint64) uint64 {
	if i := s.at(n); i < len(s) && s[i].first <= n && s[i].last+1 != 0 {
		return s[i].last + 1
	}
	return n
}

func (s *spans) add(first, last uint64) {
	from := 0
	if first > 0 {
		from = s.at(first - 1)
	}
	to := from
	for ; to < len(*s) && ((*s)[to].first <= last || (*s)[to].first-1 == last); to++ {
		first, last = min(first, (*s)[to].first), max(last, (*s)[to].last)
	}
	*s = slices.Replace(*s, from, to, span{first, last})
}

func (s *spans) remove(first, last uint64) {
	from := s.at(first)
	to := from
	var rest []span
	for ; to < len(*s) && (*s)[to].first <= last; to++ {
		if x := (*s)[to]; x.first < first {
			rest = append(rest, span{x.first, first - 1})
		}
		if x := (*s)[to]; x.last > last {
			rest = append(rest, span{last + 1, x.last})
		}
	}
	*s = slices.Replace(*s, from, to, rest...)
}

// missing returns what of [first, last] is not in the set.
func (s spans) missing(first, last uint64) []span {
	var out []span
	for i := s.at(first); first <= last; i++ {
		if i == len(s) || s[i].first > last {
			return append(out, span{first, last})
		}
		if s[i].first > first {
			out = append(out, span{first, s[i].first - 1})
		}
		if s[i].last >= last {
			return out
		}
		first = s[i].last + 1
	}
	return out
}

func (x span) count() uint64 { return x.last - x.first + 1 }

func count(s []span) (n uint64) {
	for _, x := range s {
		n += x.count()
	}
	return n
}
