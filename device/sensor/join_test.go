package sensor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iotbridge/device"
)

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		`/usr/bin/dht22 --pin 4`:        {"/usr/bin/dht22", "--pin", "4"},
		"  a \t b  ":                    {"a", "b"},
		`a 'b c' "d e"`:                 {"a", "b c", "d e"},
		`a b'c d'"e f"g`:                {"a", "bc de fg"},
		`a '' ""`:                       {"a", "", ""},
		`a '"' "'"`:                     {"a", `"`, "'"},
		`sh -c 'cat $HOME/x | head -1'`: {"sh", "-c", "cat $HOME/x | head -1"},
		`a x#y p~q http://h/?`:          nil,
		`a x#y p~q k=v,w:@%+^-_/.`:      {"a", "x#y", "p~q", "k=v,w:@%+^-_/."},
		`é ü`:                           {"é", "ü"},
		``:                              nil,
		`   `:                           nil,
		`''`:                            nil,
		`a 'b`:                          nil,
		`a "b`:                          nil,
		`a | b`:                         nil,
		`a;b`:                           nil,
		`a > f`:                         nil,
		`a $HOME`:                       nil,
		`a "$HOME"`:                     nil,
		"a `b`":                         nil,
		`a \b`:                          nil,
		`a "\""`:                        nil,
		`a *`:                           nil,
		`~/a`:                           nil,
		`a # b`:                         nil,
		"a\nb":                          nil,
		"a '\x00'":                      nil,
	} {
		got, err := Words(line)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%q: %v\n%s", line, err, diff)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`a 'b c' "d e" f`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Words(line)
		if err != nil {
			return
		}
		quoted := ""
		for _, w := range words {
			if strings.ContainsAny(w, "\n\x00") {
				t.Fatalf("%q", words)
			}
			quoted += " '" + strings.ReplaceAll(w, "'", `'"'"'`) + "'"
		}
		again, err := Words(quoted)
		if diff := cmp.Diff(words, again); diff != "" || err != nil {
			t.Fatalf("%q: %v\n%s", quoted, err, diff)
		}
	})
}

func TestParse(t *testing.T) {
	for spec, want := range map[string]string{
		"w1":                       "w1 *sensor.OneWire",
		"w1:/tmp/tree":             "w1 *sensor.OneWire /tmp/tree",
		"ds18b20":                  "w1 *sensor.OneWire",
		"simulate":                 "simulate *sensor.Simulated 1",
		"simulate:7":               "simulate *sensor.Simulated 7",
		" simulate:0 ":             "simulate *sensor.Simulated 0",
		"exec:/opt/bin/dht22 -p 4": `dht22 *sensor.Exec ["/opt/bin/dht22" "-p" "4"]`,
		"exec:a:b":                 `a:b *sensor.Exec ["a:b"]`,
		"":                         "",
		"w1:":                      "",
		"simulate:":                "",
		"simulate:-1":              "",
		"simulate:x":               "",
		"exec":                     "",
		"exec:":                    "",
		"exec:a | b":               "",
		"dht22":                    "",
	} {
		named, err := Parse(spec)
		got := ""
		switch s := named.Sensor.(type) {
		case *OneWire:
			got = strings.TrimSpace(fmt.Sprintf("%s %T %s", named.Name, s, s.Root))
		case *Simulated:
			got = fmt.Sprintf("%s %T %d", named.Name, s, s.Seed)
		case *Exec:
			got = fmt.Sprintf("%s %T %q", named.Name, s, s.Argv)
		}
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", spec, got, err, want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "sensor ") {
			t.Errorf("%q: %q names no setting", spec, err)
		}
	}
}

// spoken is a sensor that says what it is told to.
type spoken func(ctx context.Context) ([]device.Sample, error)

func (s spoken) Sample(ctx context.Context) ([]device.Sample, error) { return s(ctx) }

func says(err error, samples ...device.Sample) spoken {
	return func(context.Context) ([]device.Sample, error) { return samples, err }
}

func TestJoinedSensorsKeepTheirOrderAndNames(t *testing.T) {
	joined := Join(
		Named{"dht22", says(nil, device.Sample{Temperature: 1})},
		Named{"w1", says(Faults{{Probe: probeB, Class: CRC, Err: errors.New("garbled")}}, device.Sample{Probe: probeA, Temperature: 2})},
		Named{"dht22", says(nil, device.Sample{Temperature: 3})},
		Named{"bme280", says(errors.New("no bus"))},
		Named{"dht22", says(Faults{fault(Timeout, "hangs")})},
	)
	samples, err := joined.Sample(t.Context())
	expect(t, samples, err, []string{"dht22 1", probeA + " 2", "dht22-2 3"}, []string{probeB + " crc", "bme280 io", "dht22-3 timeout"})

	alone, err := Join(Named{"dht22", says(nil, device.Sample{Temperature: 1})}).Sample(t.Context())
	expect(t, alone, err, []string{"1"}, nil)
}

func TestB4_AJoinedSensorThatHangsKeepsTheOthersSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := spoken(func(ctx context.Context) ([]device.Sample, error) {
			<-ctx.Done()
			return nil, Faults{fault(Timeout, "hangs")}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		samples, err := Join(Named{"a", hangs}, Named{"b", says(nil, device.Sample{Temperature: 1})}).Sample(ctx)
		expect(t, samples, err, []string{"b 1"}, []string{"a timeout"})
	})
}

func TestJoinedSensorsMeasureFourAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		slow := spoken(func(context.Context) ([]device.Sample, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return []device.Sample{{}}, nil
		})
		var many []Named
		for range 10 {
			many = append(many, Named{"x", slow})
		}
		began := time.Now()
		samples, err := Join(many...).Sample(t.Context())
		if len(samples) != 10 || err != nil || most != together || time.Since(began) != 3*time.Second {
			t.Errorf("%d samples, %v, %d at a time, %s", len(samples), err, most, time.Since(began))
		}
	})
}

func TestFaultsNameTheFirstThree(t *testing.T) {
	var all Faults
	for n := range 5 {
		f := fault(CRC, "is garbled")
		f.Probe = ghost(n)
		all = append(all, f)
	}
	if got := all.Error(); got != ghost(0)+": is garbled; "+ghost(1)+": is garbled; "+ghost(2)+": is garbled; and 2 more" {
		t.Error(got)
	}
	var one *Error
	if !errors.As(all.err(), &one) || one.Class != CRC || one.FaultyProbe() != ghost(0) {
		t.Errorf("%v", one)
	}
	if Faults(nil).err() != nil {
		t.Error("no faults are an error")
	}
}
