package loadtest

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
)

// EnrolReport compares gateways with the cost of the handshakes and signatures alone.
type EnrolReport struct {
	CPUs     int         `json:"cpus"`
	AtOnce   int         `json:"atOnce"`
	Busy     []string    `json:"loadAverage,omitempty"` // of the machine over 1 min, before and after
	Floor    *Enrolled   `json:"floor"`
	Gateways []*Enrolled `json:"gateways"`

	Compared []EnrolRatio `json:"compared"` // a gateway each
}

// EnrolRatio is a gateway's figure to the floor's, of the same run.
type EnrolRatio struct {
	Rate    float64 `json:"perSecond"`
	Allowed float64 `json:"perSecondByCPU"` // that the CPUs allow: the same on a busy machine
	CPU     float64 `json:"cpu"`
}

// NewEnrolReport begins a report.
func NewEnrolReport(atOnce int) *EnrolReport {
	r := &EnrolReport{CPUs: runtime.NumCPU(), AtOnce: atOnce}
	r.Busy = appendBusy(r.Busy)
	return r
}

// End completes it.
func (r *EnrolReport) End(floor *Enrolled, gateways []*Enrolled) {
	r.Floor, r.Gateways, r.Busy = floor, gateways, appendBusy(r.Busy)
	for _, g := range gateways {
		r.Compared = append(r.Compared, EnrolRatio{g.Rate / floor.Rate, ratio(g.allowed(), floor.allowed()), ratio(g.CPU, floor.CPU)})
	}
}

// allowed is how many a second this machine could do if it did nothing else, by the CPU
// of server and load; 0: not known.
func (e *Enrolled) allowed() float64 {
	if e.CPU == 0 || e.Own == 0 {
		return 0
	}
	return float64(runtime.NumCPU()) * 1e6 / (e.CPU + e.Own)
}

// ratio is 0 where it cannot be had.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// JSON writes it for programs.
func (r *EnrolReport) JSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Table writes it for people.
func (r *EnrolReport) Table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\t%s", r.Floor.Server)
	for _, g := range r.Gateways {
		fmt.Fprintf(w, "\t%s\tratio", g.Server)
	}
	fmt.Fprintln(w)
	for _, f := range []struct {
		name  string
		value func(*Enrolled) float64
	}{
		{"enrolments a second", func(e *Enrolled) float64 { return e.Rate }},
		{"enrolments a second that the CPUs allow", (*Enrolled).allowed},
		{"CPU an enrolment, µs", func(e *Enrolled) float64 { return e.CPU }},
		{"the load's own CPU an enrolment, µs", func(e *Enrolled) float64 { return e.Own }},
		{"enrolment p50, ms", func(e *Enrolled) float64 { return e.P50 }},
		{"enrolment p99, ms", func(e *Enrolled) float64 { return e.P99 }},
	} {
		floor := f.value(r.Floor)
		fmt.Fprintf(w, "%s\t%s", f.name, number(known(floor)))
		for _, g := range r.Gateways {
			fmt.Fprintf(w, "\t%s\t%s", number(known(f.value(g))), number(known(ratio(f.value(g), floor))))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\n%d boards, %d at a time, on %d CPUs that the load shares; load average", r.Floor.Boards, r.AtOnce, r.CPUs)
	for i, one := range r.Busy {
		fmt.Fprintf(w, "%s %s", map[bool]string{true: " before and after:"}[i == 0], one)
	}
	fmt.Fprintln(w)
	if len(r.Gateways) > 1 {
		fmt.Fprintln(w, "What a PostgreSQL of another process takes is not in the gateway's CPU.")
	}
	return w.Flush()
}
