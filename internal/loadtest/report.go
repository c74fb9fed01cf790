package loadtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"text/tabwriter"
)

// Report is what a run has shown.
type Report struct {
	CPUs    int      `json:"cpus"`
	Busy    []string `json:"loadAverage,omitempty"` // of the machine over 1 min, before and after
	Floor   *Result  `json:"floor,omitempty"`
	Ours    *Result  `json:"ours"`
	Figures []Figure `json:"figures"`
}

// NewReport begins a report: how busy the machine is already is part of it.
func NewReport() *Report {
	return &Report{CPUs: runtime.NumCPU(), Busy: appendBusy(nil)}
}

// End completes it. floor may be nil.
func (r *Report) End(floor, ours *Result) {
	r.Floor, r.Ours, r.Figures = floor, ours, Figures(floor, ours)
	r.Busy = appendBusy(r.Busy)
}

// appendBusy notes the load average, where it is known.
func appendBusy(to []string) []string {
	text, err := os.ReadFile("/proc/loadavg")
	if one, _, ok := bytes.Cut(text, []byte(" ")); err == nil && ok {
		return append(to, string(one))
	}
	return to
}

// JSON writes it for programs.
func (r *Report) JSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Table writes it for people.
func (r *Report) Table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if r.Floor == nil {
		fmt.Fprintf(w, "\t%s\n", r.Ours.Server)
	} else {
		fmt.Fprintf(w, "\t%s\t%s\tratio\tgoal\t\n", r.Floor.Server, r.Ours.Server)
	}
	for _, f := range r.Figures {
		if r.Floor == nil {
			fmt.Fprintf(w, "%s\t%s\n", f.Name, number(f.Ours))
			continue
		}
		verdict := ""
		if f.Met != nil {
			verdict = map[bool]string{true: "met", false: "missed"}[*f.Met]
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, number(f.Floor), number(f.Ours), number(f.Ratio), f.Goal, verdict)
	}
	fmt.Fprintf(w, "\n%d devices on %d CPUs that the load shares; load average", r.Ours.Devices, r.CPUs)
	for i, one := range r.Busy {
		fmt.Fprintf(w, "%s %s", map[bool]string{true: " before and after:"}[i == 0], one)
	}
	fmt.Fprintln(w)
	r.remarks(w)
	return w.Flush()
}

// remarks say what takes worth from the figures.
func (r *Report) remarks(w io.Writer) {
	if r.Floor != nil && r.Ours.Devices != GoalDevices {
		fmt.Fprintf(w, "The goals are set for %d devices.\n", GoalDevices)
	}
	for _, result := range []*Result{r.Floor, r.Ours} {
		if result == nil {
			continue
		}
		for _, s := range result.Steps {
			if s.Achieved < 0.97*float64(s.Rate) {
				fmt.Fprintf(w, "%s: %.0f of %d messages a second were reached, %d were left out.\n", result.Server, s.Achieved, s.Rate, s.LeftOut)
			}
			if s.Load > s.CPU && s.CPU > 0 && result == r.Ours {
				fmt.Fprintf(w, "%s: at %d/s the load took more CPU than the server.\n", result.Server, s.Rate)
			}
		}
		if h := result.HalfOpen; h != nil && h.Left > 0 {
			fmt.Fprintf(w, "%s: %d half-open sockets were never closed.\n", result.Server, h.Left)
		}
	}
}

// number is a figure in three or so digits.
func number(v *float64) string {
	if v == nil {
		return "–"
	}
	digits := 0
	for limit := 100.0; limit >= 10 && *v < limit; limit /= 10 {
		digits++
	}
	return strconv.FormatFloat(*v, 'f', digits, 64)
}
