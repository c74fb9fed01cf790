package schema

import (
	"strings"
	"testing"
)

func TestCompileRefuses(t *testing.T) {
	bound := func(v float64) *float64 { return &v }
	for name, c := range map[string]struct {
		change func(*Table)
		want   string
	}{
		"no columns":           {func(t *Table) { t.Columns = nil }, "no columns"},
		"unknown source":       {func(t *Table) { t.Columns[0].From = "header.x" }, "column a: from \"header.x\""},
		"no source":            {func(t *Table) { t.Columns[0].From = "" }, "column a: from \"\""},
		"unknown fact":         {func(t *Table) { t.Columns[0].From = "message.topic" }, "column a"},
		"inner member":         {func(t *Table) { t.Columns[1].From = "body.a.b" }, "column b"},
		"fact's type":          {func(t *Table) { t.Columns[0].From = "worker.now" }, "column a: from worker.now is TIMESTAMP"},
		"attribute's type":     {func(t *Table) { t.Columns[0].Type = Int64 }, "column a: from an attribute is STRING"},
		"bytes of a member":    {func(t *Table) { t.Columns[1].Type = Bytes }, "column b: from a member of the body cannot be BYTES"},
		"no type":              {func(t *Table) { t.Columns[1].Type = "" }, "column b"},
		"column twice":         {func(t *Table) { t.Columns[1].Name = "A" }, "column A: there twice"},
		"member twice":         {func(t *Table) { t.Columns[2].From = "body.b" }, "column c: member \"b\" is taken already"},
		"member's fold":        {func(t *Table) { t.Columns[2].From = "body.B" }, "column c: member \"B\" is taken already, as \"b\""},
		"claim as a value":     {func(t *Table) { t.Columns[1].From = "body.device_id" }, "column b: member \"device_id\" is the claim"},
		"claim's fold":         {func(t *Table) { t.Columns[1].From = "body.Device_ID" }, "column b: member \"Device_ID\" is the claim"},
		"rest, drop":           {func(t *Table) { t.Unknown = Drop }, "needs unknown: keep"},
		"rest, reject":         {func(t *Table) { t.Unknown = Reject }, "needs unknown: keep"},
		"keep, no rest":        {func(t *Table) { t.Columns = t.Columns[:3] }, "needs a column from body.*"},
		"unknown, unsaid":      {func(t *Table) { t.Unknown, t.Columns = "", t.Columns[:3] }, "unknown is missing"},
		"unknown, other":       {func(t *Table) { t.Unknown = "ignore" }, "unknown \"ignore\""},
		"required rest":        {func(t *Table) { t.Columns[3].Required = true }, "column rest: from body.* is NULL"},
		"rest's type":          {func(t *Table) { t.Columns[3].Type = String }, "column rest"},
		"body's type":          {func(t *Table) { t.Columns[3].From, t.Columns[3].Type = "body", String }, "column rest"},
		"required attempt":     {func(t *Table) { t.Columns[0] = Column{Name: "n", Type: Int64, From: "message.attempt", Required: true} }, "column n: from message.attempt may be NULL"},
		"min of a text":        {func(t *Table) { t.Columns[0].Min = bound(1) }, "column a: min and max"},
		"min of a time":        {func(t *Table) { t.Columns[2].Type, t.Columns[2].Min = Timestamp, bound(1) }, "column c: min and max"},
		"infinite max":         {func(t *Table) { t.Columns[2].Max = bound(1 / zero) }, "column c: min and max are finite"},
		"NaN":                  {func(t *Table) { t.Columns[2].Max = bound(zero / zero) }, "column c: min and max are finite"},
		"min above max":        {func(t *Table) { t.Columns[2].Min, t.Columns[2].Max = bound(2), bound(1) }, "column c: min 2 is above max 1"},
		"integer with a point": {func(t *Table) { t.Columns[2].Type, t.Columns[2].Min = Int64, bound(0.5) }, "column c: min and max of INT64"},
		"integer past 2^53":    {func(t *Table) { t.Columns[2].Type, t.Columns[2].Max = Int64, bound(1<<53) }, "column c: min and max of INT64"},
		"max_bytes of JSON":    {func(t *Table) { t.Columns[3].MaxBytes = 1 }, "column rest: max_bytes"},
		"max_bytes below 0":    {func(t *Table) { t.Columns[1].MaxBytes = -1 }, "column b: max_bytes"},
		"unit of a text":       {func(t *Table) { t.Columns[1].Unit = "ms" }, "column b: unit \"ms\""},
		"unit":                 {func(t *Table) { t.Columns[2].Type, t.Columns[2].Unit = Timestamp, "m" }, "column c: unit \"m\""},
		"body and verdict":     {func(t *Table) { t.Columns[0].From = "verdict.reason" }, "both the body and the verdict"},
		"required, refused": {func(t *Table) {
			*t = Table{Name: "t", Columns: []Column{{Name: "r", Type: String, From: "verdict.reason"}, {Name: "id", Type: String, From: "attribute.deviceId", Required: true}}}
		}, "column id: what is refused"},
		"required claim": {func(t *Table) {
			*t = Table{Name: "t", Columns: []Column{{Name: "r", Type: String, From: "verdict.claim", Required: true}}}
		}, "column r: from verdict.claim may be NULL"},
	} {
		table := &Table{Name: "t", Claim: "device_id", Unknown: Keep, Columns: []Column{
			{Name: "a", Type: String, From: "attribute.a"},
			{Name: "b", Type: String, From: "body.b"},
			{Name: "c", Type: Float64, From: "body.c"},
			{Name: "rest", Type: JSON, From: "body.*"},
		}}
		if _, err := table.Compile(); err != nil {
			t.Fatal(err)
		}
		c.change(table)
		_, err := table.Compile()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "table t: ") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

var zero float64

func TestCompileReportsEveryFault(t *testing.T) {
	table := &Table{Name: "t", Columns: []Column{{Name: "a", Type: String, From: "x"}, {Name: "b", Type: Bytes, From: "worker.now"}}}
	_, err := table.Compile()
	if err == nil || strings.Count(err.Error(), "table t: column ") != 2 {
		t.Errorf("%v", err)
	}
}
