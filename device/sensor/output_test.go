package sensor

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func nested(depth int) string {
	return strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth)
}

func TestOutput(t *testing.T) {
	for in, want := range map[string]struct {
		temperature float64
		extra       string
		class       Class
	}{
		`{"temperature":21.5,"humidity":40,"ok":true}`:                   {21.5, `"humidity":40,"ok":true`, ""},
		`{"humidity":4.0e+1 , "temperature" : 21.5 , "v" : [ 1, "]" ] }`: {21.5, `"humidity":4.0e+1,"v":[ 1, "]" ]`, ""},
		`{"n":123456789012345678901234567890,"temperature":0}`:           {0, `"n":123456789012345678901234567890`, ""},
		`{"é\n":null,"temperature":0}`:                                   {0, `"é\n":null`, ""},
		`{"temperatur\u0065":7}`:                                         {7, "", ""},
		`{"Temperature":8,"temperature":7}`:                              {7, `"Temperature":8`, ""},
		`-0`:                                                             {0, "", ""},
		`1e-400`:                                                         {0, "", ""},
		`{"temperature":-0.0}`:                                           {0, "", ""},
		`{"temperature":1,"a":` + nested(15) + `}`:                       {1, `"a":` + nested(15), ""},
		`{"temperature":1,"a":"` + strings.Repeat("[", 99) + `"}`:        {1, `"a":"` + strings.Repeat("[", 99) + `"`, ""},
		`{"temperature":1,"a":` + nested(16) + `}`:                       {0, "", Format},
		`{"temperature":1,"a":` + nested(30000) + `}`:                    {0, "", Format},
		`{"temperature":1,"temperature":1}`:                              {0, "", Format},
		`{"temperature":1,"temperatur\u0065":1}`:                         {0, "", Format},
		`{"temperature":1,"a":{"b":1,"b":1}}`:                            {0, "", Format},
		`{"temperature":1} {}`:                                           {0, "", Format},
		`{"temperature":1}x`:                                             {0, "", Format},
		`{"temperature":1,}`:                                             {0, "", Format},
		`{"temperature":1`:                                               {0, "", Format},
		`{"temperature":"21.5"}`:                                         {0, "", Format},
		`{"temperature":null}`:                                           {0, "", Format},
		`{"Temperature":21.5}`:                                           {0, "", Format},
		`{}`:                                                             {0, "", Format},
		`{"temperature":NaN}`:                                            {0, "", Format},
		"{\"temperature\":1,\"a\":\"\xff\"}":                             {0, "", Format},
		`{"temperature":1,"a":"\ud800"}`:                                 {0, "", Format},
		`[21.5]`:                                                         {0, "", Format},
		`"21.5"`:                                                         {0, "", Format},
		`21,5`:                                                           {0, "", Format},
		`+21.5`:                                                          {0, "", Format},
		`021`:                                                            {0, "", Format},
		`NaN`:                                                            {0, "", Format},
		`21.5 °C`:                                                        {0, "", Format},
		`null`:                                                           {0, "", Format},
		``:                                                               {0, "", Format},
		"0\f":                                                            {0, "", Format},
		`1e999`:                                                          {0, "", Range},
		`{"temperature":-1e999}`:                                         {0, "", Range},
	} {
		got, err := parseOutput([]byte(in))
		if (err == nil) != (want.class == "") || err != nil && err.Class != want.class {
			t.Errorf("%s: %v, want %q", clip(in, 60), err, want.class)
			continue
		}
		if got.Temperature != want.temperature || math.Signbit(got.Temperature) || string(got.Extra) != want.extra {
			t.Errorf("%s: %v and %s", clip(in, 60), got.Temperature, got.Extra)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", clip(in, 60), len(err.Error()))
		}
	}
}

func FuzzExecOutput(f *testing.F) {
	for _, seed := range []string{`21.5`, `{"temperature":21.5,"humidity":40}`, `{"temperature":1,"a":[{"b":"\u00e9"}]}`, `{"temperature":-0}`, `{"t":"\\\"["}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseOutput(text)
		if err != nil {
			if got.Extra != nil || len(err.Error()) > 400 {
				t.Fatalf("%+v, %v", got, err)
			}
			return
		}
		var plain any
		if err := json.Unmarshal(text, &plain); err != nil {
			t.Fatalf("taken, and no JSON: %v", err)
		}
		want, ok := plain.(float64)
		if object, is := plain.(map[string]any); is {
			want, ok = object["temperature"].(float64)
			delete(object, "temperature")
			var extra map[string]any
			if err := json.Unmarshal([]byte("{"+string(got.Extra)+"}"), &extra); err != nil || len(extra) != len(object) {
				t.Fatalf("extra %q: %v", got.Extra, err)
			}
		}
		if !ok || got.Temperature != want || math.IsInf(got.Temperature, 0) {
			t.Fatalf("%v, want %v", got.Temperature, want)
		}
	})
}

func FuzzW1Slave(f *testing.F) {
	for _, seed := range []string{slaveText(21437), slaveText(-127000), slaveText(85000), garbled, "", "72 01 : crc=57 YES\n72 t=-0\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		milli, err := parseW1Slave(text)
		if err != nil {
			if milli != 0 || len(err.Error()) > 400 || err.Class == "" {
				t.Fatalf("%d, %v", milli, err)
			}
			return
		}
		lines := strings.Split(string(text), "\n")
		if milli < lowest || milli > highest || !strings.HasSuffix(lines[0], " YES") || !strings.Contains(lines[1], " t=") {
			t.Fatalf("%d from %q", milli, text)
		}
	})
}
