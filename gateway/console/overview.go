package console

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"iotbridge/gateway"
)

var overviewPages = []page{
	{"GET /{$}", "ConsoleOverview", (*Console).overview},
	{"GET /live/overview", "ConsoleOverviewLive", (*Console).overviewLive},
}

const lookBack = 15 * time.Minute

// overview is the first page: is it well?
type overview struct {
	Tiles                tiles
	Alarms               []alarm
	Plots                []plot
	Quarantined, Refused reasons
	Gateways             []gatewayLine
	Registries           []registryLine
	Missing              string // what cannot be shown, and why
}

type tiles struct {
	Connected, Devices int
	In, Stored         float64 // a second
	Fresh              time.Duration
	Refused            int  // by the worker
	Known              bool // what the warehouse has
}

type alarm struct{ What, Why string }

type reasons struct {
	Caption, Of, Link string
	Rows              []reasonLine
}

type reasonLine struct {
	Reason string
	Count  uint64
}

type gatewayLine struct {
	gateway.Pulse
	Rate float64
}

type registryLine struct {
	Name  string
	Tally gateway.Tally
}

// plot is a line over time.
type plot struct{ ID, Title, Unit, Points string }

func (c *Console) overview(v *visit) error {
	o, err := c.survey(v.Context())
	if err != nil {
		return err
	}
	return v.show(200, "overview", "Overview", o)
}

func (c *Console) overviewLive(v *visit) error { return v.live("overview", c.overviewEvents) }

func (c *Console) overviewEvents(ctx context.Context) ([]event, error) {
	o, err := c.survey(ctx)
	if err != nil {
		return nil, err
	}
	var events []event
	for _, f := range []struct {
		id, template string
		data         any
	}{{"tiles", "tiles", o.Tiles}, {"alarms", "alarms", o.Alarms}, {"quarantined", "reasons", o.Quarantined}, {"refused", "reasons", o.Refused}, {"gateways", "gateways", o.Gateways}} {
		e, err := fragment(f.id, f.template, f.data)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	for _, p := range o.Plots {
		events = append(events, event{p.ID, p.Points})
	}
	return events, nil
}

// survey asks all parts at once. It is not done on behalf of an operator: who may see
// the page was asked before.
func (c *Console) survey(ctx context.Context) (*overview, error) {
	o := &overview{}
	var pulses []gateway.Pulse
	var minutes []Minute
	var flowErr error
	g, ctx := errgroup.WithContext(ctx)
	g.Go(c.aside(func() (err error) {
		pulses, err = c.Fleet.Pulses(ctx)
		return err
	}))
	g.Go(c.aside(func() (err error) {
		o.Registries, err = c.tallies(ctx)
		return err
	}))
	g.Go(c.aside(func() error {
		minutes, flowErr = c.flow(ctx)
		return nil
	}))
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if flowErr != nil {
		o.Missing = c.unanswered(flowErr)
	}
	o.fill(pulses, minutes, c.Warehouse != nil && flowErr == nil)
	return o, nil
}

func (o *overview) fill(pulses []gateway.Pulse, minutes []Minute, known bool) {
	for _, r := range o.Registries {
		o.Tiles.Devices += r.Tally.Devices
		o.Tiles.Connected += r.Tally.Connected
	}
	refused := map[string]uint64{}
	for _, p := range pulses {
		line := gatewayLine{p, rate(now(p))}
		o.Gateways = append(o.Gateways, line)
		o.Tiles.In += line.Rate
		for reason, n := range p.Refused {
			refused[reason] += n
		}
		for _, why := range p.Holds {
			o.Alarms = append(o.Alarms, alarm{p.Instance, "holds: " + why})
		}
	}
	slices.SortFunc(o.Gateways, func(a, b gatewayLine) int { return cmp.Compare(a.Instance, b.Instance) })
	o.Refused = reasons{Of: "Connections", Caption: "Connections refused, since each gateway began", Rows: lines(refused)}
	o.Quarantined = reasons{Of: "Messages", Caption: "Quarantined in 15 minutes", Link: "/quarantine?reason=", Rows: lines(quarantined(minutes))}
	for _, line := range o.Quarantined.Rows {
		o.Tiles.Refused += int(line.Count)
	}
	connections, in := together(pulses)
	o.Plots = []plot{drawn("plot-connections", "Connected", "devices", connections), drawn("plot-in", "In", "messages a second", in)}
	if !known {
		return
	}
	o.Tiles.Known = true
	var stored, fresh, lies []Reading
	for _, m := range minutes {
		took, ok := m.took(time.Now())
		if !ok {
			continue
		}
		o.Tiles.Stored, o.Tiles.Fresh = float64(m.Stored)/took.Seconds(), m.AgeP99
		stored = append(stored, Reading{m.At, o.Tiles.Stored})
		lies = append(lies, Reading{m.At, float64(sum(m.Quarantined)) / took.Minutes()})
		if m.Stored > 0 {
			fresh = append(fresh, Reading{m.At, m.AgeP99.Seconds()})
		}
	}
	o.Plots = append(o.Plots, drawn("plot-stored", "Stored", "rows a second", stored),
		drawn("plot-fresh", "Freshness", "seconds from publish to durable, p99", fresh), drawn("plot-lies", "Quarantined", "messages a minute", lies))
}

// tallies are of all registries here.
func (c *Console) tallies(ctx context.Context) (list []registryLine, err error) {
	all, err := c.tally(ctx)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, registryLine{name, all[name]})
	}
	return list, err
}

func (c *Console) registryKey(name string) gateway.RegistryKey {
	return gateway.RegistryKey{Project: c.Project, Location: c.Location, Registry: name}
}

// flow is of the last minutes; an error says what there is instead.
func (c *Console) flow(ctx context.Context) ([]Minute, error) {
	if c.Warehouse == nil {
		return nil, errNoWarehouse
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.Warehouse.Flow(ctx, time.Now().Add(-lookBack))
}

// rate is the messages a second between the last two points.
func rate(recent []gateway.PulsePoint) float64 {
	if len(recent) < 2 {
		return 0
	}
	a, b := recent[len(recent)-2], recent[len(recent)-1]
	if took := b.At.Sub(a.At).Seconds(); took > 0 && b.Events >= a.Events {
		return float64(b.Events-a.Events) / took
	}
	return 0
}

// now is a gateway's points with the latest, which may be one of them.
func now(p gateway.Pulse) []gateway.PulsePoint {
	if n := len(p.Recent); n > 0 && !p.At.After(p.Recent[n-1].At) {
		return p.Recent
	}
	return append(slices.Clip(p.Recent), gateway.PulsePoint{At: p.At, Connections: p.Connections, Events: p.Events})
}

// took is how much of the minute is over; of one that has hardly begun nothing can be
// said.
func (m Minute) took(now time.Time) (took time.Duration, ok bool) {
	took = min(now.Sub(m.At), time.Minute)
	return took, took >= 15*time.Second
}

func quarantined(minutes []Minute) map[string]uint64 {
	all := map[string]uint64{}
	for _, m := range minutes {
		for reason, n := range m.Quarantined {
			all[reason] += uint64(n)
		}
	}
	return all
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// lines are those that have a number, the largest first.
func lines(counts map[string]uint64) (rows []reasonLine) {
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if counts[reason] > 0 {
			rows = append(rows, reasonLine{reason, counts[reason]})
		}
	}
	slices.SortStableFunc(rows, func(a, b reasonLine) int { return cmp.Compare(b.Count, a.Count) })
	return rows
}

// together adds up the gateways' points, each taken to the quarter of a minute.
func together(pulses []gateway.Pulse) (connections, messages []Reading) {
	const step = 15 * time.Second
	open, in := map[time.Time]float64{}, map[time.Time]float64{}
	for _, p := range pulses {
		for i, point := range p.Recent {
			at := point.At.Truncate(step)
			open[at] += float64(point.Connections)
			if i > 0 {
				in[at] += rate(p.Recent[i-1 : i+1])
			}
		}
	}
	return ordered(open), ordered(in)
}

func ordered(points map[time.Time]float64) (list []Reading) {
	for at, value := range points {
		list = append(list, Reading{at, value})
	}
	slices.SortFunc(list, func(a, b Reading) int { return a.At.Compare(b.At) })
	return list
}

// drawn makes a plot of readings: [[seconds, …], [value, …]]. What is no number is left
// out.
func drawn(id, title, unit string, readings []Reading) plot {
	points := [2][]float64{{}, {}}
	for _, r := range readings {
		if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
			continue
		}
		points[0] = append(points[0], float64(r.At.UnixMilli())/1000)
		points[1] = append(points[1], r.Value)
	}
	text, _ := json.Marshal(points) // such numbers always can be
	return plot{id, title, unit, string(text)}
}
