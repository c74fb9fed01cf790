package loadtest

import (
	"fmt"
	"math"
	"runtime"
)

// GoalDevices is how many devices the goals are set for, over TLS 1.3 on two cores
// that the load shares, with a Pub/Sub that answers in 20 ms.
const GoalDevices = 5000

// Figure is one line of the comparison.
type Figure struct {
	Name  string   `json:"name"`
	Floor *float64 `json:"floor,omitempty"` // nil: not known, or there is none
	Ours  *float64 `json:"ours,omitempty"`
	Ratio *float64 `json:"ratio,omitempty"` // ours to the floor
	Goal  string   `json:"goal,omitempty"`
	Met   *bool    `json:"met,omitempty"` // nil: no goal, or not known
}

// goal is what a figure should be; the zero one is none.
type goal struct {
	most, leastOfFloor float64
	digits             int // behind the point, that count
}

// goals by rate, messages a second.
var (
	cpuGoals = map[int]goal{5_000: {most: 70}, 20_000: {most: 45}}
	p99Goals = map[int]goal{5_000: {most: 40, digits: 1}, 20_000: {most: 60, digits: 1}}
)

// Figures compares a server with the floor of the same run, which may be nil.
func Figures(floor, ours *Result) []Figure {
	var list []Figure
	add := func(name string, g goal, value func(*Result) float64) {
		list = append(list, newFigure(name, g, floor, ours, value))
	}
	add("connects a second", goal{leastOfFloor: 0.8}, func(r *Result) float64 { return r.Connects })
	if floor != nil { // else the server may have CPUs of its own
		add("connects a second that the CPUs allow", goal{leastOfFloor: 0.8}, (*Result).allowed)
	}
	add("CPU a connect, µs", goal{}, func(r *Result) float64 { return r.ConnectCPU })
	add("the load's own CPU a connect, µs", goal{}, func(r *Result) float64 { return r.ConnectOwn })
	add("memory a connection after publishing, KiB", goal{most: 36, digits: 1}, func(r *Result) float64 { return r.Memory })
	for i, s := range ours.Steps {
		at := fmt.Sprintf(" at %d/s, ", s.Rate)
		add("acknowledged"+at+"a second", goal{}, func(r *Result) float64 { return r.Steps[i].Achieved })
		add("CPU a message"+at+"µs", cpuGoals[s.Rate], func(r *Result) float64 { return r.Steps[i].CPU })
		add("the load's own CPU"+at+"µs", goal{}, func(r *Result) float64 { return r.Steps[i].Load })
		add("PUBACK p50"+at+"ms", goal{}, func(r *Result) float64 { return r.Steps[i].P50 })
		add("PUBACK p99"+at+"ms", p99Goals[s.Rate], func(r *Result) float64 { return r.Steps[i].P99 })
	}
	if h := ours.HalfOpen; h != nil {
		beside := fmt.Sprintf(" %d half-open sockets", h.Sockets)
		add("PUBACK p99 just before"+beside+", ms", goal{}, func(r *Result) float64 { return r.HalfOpen.Without.P99 })
		add("PUBACK p99 beside"+beside+", ms", goal{}, func(r *Result) float64 { return r.HalfOpen.Beside.P99 })
		add("the second p99 to the first", goal{most: 1.2, digits: 2}, func(r *Result) float64 { return r.HalfOpen.Beside.P99 / r.HalfOpen.Without.P99 })
		add("all"+beside+" gone after, s", goal{most: 10, digits: 1}, func(r *Result) float64 { return r.HalfOpen.Gone })
	}
	return list
}

// allowed is how many connects a second this machine could do if it did nothing else,
// by the CPU that they took of the server and of the load: unlike the rate that was
// reached, it is the same on a busy machine. 0: not known.
func (r *Result) allowed() float64 {
	if r.ConnectCPU == 0 || r.ConnectOwn == 0 {
		return 0
	}
	return float64(runtime.NumCPU()) * 1e6 / (r.ConnectCPU + r.ConnectOwn)
}

func newFigure(name string, g goal, floor, ours *Result, value func(*Result) float64) Figure {
	f := Figure{Name: name, Ours: known(value(ours))}
	if floor != nil {
		f.Floor = known(value(floor))
	}
	if f.Ours != nil && f.Floor != nil {
		f.Ratio = known(*f.Ours / *f.Floor)
	}
	switch {
	case g.most > 0:
		f.Goal = fmt.Sprintf("≤ %g", g.most)
		if f.Ours != nil {
			shift := math.Pow10(g.digits)
			f.Met = new(math.Round(*f.Ours*shift)/shift <= g.most)
		}
	case g.leastOfFloor > 0 && floor != nil:
		f.Goal = fmt.Sprintf("≥ %g of %s", g.leastOfFloor, floor.Server)
		if f.Ratio != nil {
			f.Met = new(*f.Ratio >= g.leastOfFloor)
		}
	}
	return f
}

// known is nil for a figure that could not be had.
func known(v float64) *float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
