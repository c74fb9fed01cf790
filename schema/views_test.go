package schema_test

import (
	"database/sql"
	"reflect"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"iotbridge/schema"
)

// reading is what the views look at in a row; times are in µs.
type reading struct {
	registry, device, readingID, messageID string // readingID "" is NULL
	event, publish                         int64
	temperature                            float64
}

// viewed runs one of the views over the readings, in SQLite, and returns the
// columns asked for, a line a row.
func viewed(t *testing.T, name, columns string, readings ...reading) []string {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatalf("%v in\n%s", err, query)
		}
	}
	table, err := schema.Builtin("temperature")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range table.Columns {
		names = append(names, c.Name)
	}
	exec("CREATE TABLE `p.d.temperature` (" + strings.Join(names, ", ") + ")")
	for _, r := range readings {
		exec("INSERT INTO `p.d.temperature` (registry_id, device_id, reading_id, message_id, event_time, publish_time, temperature) VALUES (?, ?, nullif(?, ''), ?, ?, ?, ?)",
			r.registry, r.device, r.readingID, r.messageID, r.event, r.publish, r.temperature)
	}
	for _, v := range schema.Views("p", "d") {
		// The one function that SQLite has not.
		exec("CREATE VIEW `p.d." + v.Name + "` AS " + strings.NewReplacer(
			"TIMESTAMP_TRUNC(event_time, HOUR)", "event_time - event_time % 3600000000",
			"TIMESTAMP_TRUNC(event_time, DAY)", "event_time - event_time % 86400000000").Replace(v.SQL))
	}
	rows, err := db.Query("SELECT " + columns + " AS line FROM `p.d." + name + "` ORDER BY line")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestDedupShowsEachReadingOnce(t *testing.T) {
	for _, row := range []struct {
		name     string
		readings []reading
		want     []string // message_id @ publish_time
	}{
		{"one", []reading{{"r", "a", "", "1", 0, 10, 20}}, []string{"1@10"}},
		{"stored twice", []reading{{"r", "a", "", "1", 0, 10, 20}, {"r", "a", "", "1", 0, 10, 20}}, []string{"1@10"}},
		{"sent again by the device", []reading{{"r", "a", "x", "1", 0, 11, 20}, {"r", "a", "x", "2", 0, 10, 20}}, []string{"2@10"}},
		{"published at once", []reading{{"r", "a", "x", "2", 0, 10, 20}, {"r", "a", "x", "1", 0, 10, 20}}, []string{"1@10"}},
		{"two readings", []reading{{"r", "a", "x", "1", 0, 10, 20}, {"r", "a", "y", "2", 0, 11, 20}}, []string{"1@10", "2@11"}},
		{"two messages without reading_id", []reading{{"r", "a", "", "1", 0, 10, 20}, {"r", "a", "", "2", 0, 10, 20}}, []string{"1@10", "2@10"}},
		{"two devices", []reading{{"r", "a", "x", "1", 0, 10, 20}, {"r", "b", "x", "2", 0, 11, 20}}, []string{"1@10", "2@11"}},
		{"two registries", []reading{{"r", "a", "x", "1", 0, 10, 20}, {"s", "a", "x", "2", 0, 11, 20}}, []string{"1@10", "2@11"}},
		{"a reading_id that is another's message_id", []reading{{"r", "a", "", "7", 0, 10, 20}, {"r", "a", "7", "8", 0, 11, 20}}, []string{"7@10", "8@11"}},
	} {
		if got := viewed(t, "temperature_dedup", "message_id || '@' || publish_time", row.readings...); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestLatestIsByTheDevicesClock(t *testing.T) {
	got := viewed(t, "temperature_latest", "registry_id || '/' || device_id || ' ' || message_id",
		reading{"r", "a", "", "1", 100, 30, 20},
		reading{"r", "a", "", "2", 200, 20, 20}, // measured last, published before 1
		reading{"r", "a", "", "3", 200, 10, 20},
		reading{"r", "b", "", "4", 1, 1, 20},
		reading{"s", "a", "", "5", 1, 1, 20})
	if want := []string{"r/a 2", "r/b 4", "s/a 5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHourlyCountsEachReadingOnce(t *testing.T) {
	const hour = 3_600_000_000
	got := viewed(t, "temperature_hourly",
		"device_id || ' ' || (hour / 3600000000) || ' ' || readings || ' ' || mean_temperature || ' ' || min_temperature || ' ' || max_temperature",
		reading{"r", "a", "x", "1", hour, 1, 10},
		reading{"r", "a", "x", "2", hour, 2, 10}, // sent again
		reading{"r", "a", "y", "3", 2*hour - 1, 3, 20},
		reading{"r", "a", "z", "4", 2 * hour, 4, 30},
		reading{"r", "b", "x", "5", hour, 5, -5.5})
	want := []string{
		"a 1 2 15.0 10.0 20.0",
		"a 2 1 30.0 30.0 30.0",
		"b 1 1 -5.5 -5.5 -5.5",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDailyCountsEachReadingOnce(t *testing.T) {
	const hour, day = 3_600_000_000, 86_400_000_000
	got := viewed(t, "temperature_daily",
		"device_id || ' ' || (day / 86400000000) || ' ' || readings || ' ' || hours_with_readings || ' ' || mean_temperature || ' ' || min_temperature || ' ' || max_temperature",
		reading{"r", "a", "x", "1", day, 1, 10},
		reading{"r", "a", "x", "2", day, 2, 10}, // sent again
		reading{"r", "a", "y", "3", day + hour - 1, 3, 20},
		reading{"r", "a", "z", "4", 2*day - 1, 4, 60},
		reading{"r", "a", "u", "5", 2 * day, 5, 7},
		reading{"r", "b", "x", "6", day, 6, -5.5})
	want := []string{
		"a 1 3 2 30.0 10.0 60.0",
		"a 2 1 1 7.0 7.0 7.0",
		"b 1 1 1 -5.5 -5.5 -5.5",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
