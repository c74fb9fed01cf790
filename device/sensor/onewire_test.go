package sensor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestProbesAreReadInOrder(t *testing.T) {
	tree := newTree(t)
	tree.write(probeA, "w1_slave", slaveText(21437))
	tree.write(probeB, "temperature", "-62\n")
	o := &OneWire{Root: tree.root}
	samples, err := o.Sample(t.Context())
	expect(t, samples, err, []string{probeB + " -0.062", probeA + " 21.437"}, nil)
}

func TestB1_AGarbledAnswerIsAskedForAgain(t *testing.T) {
	for name, c := range map[string]struct {
		texts   []string
		values  []string
		classes []string
		reads   int
	}{
		"the fourth is good":  {[]string{garbled, garbled, garbled, slaveText(20000)}, []string{probeA + " 20"}, nil, 4},
		"the second is good":  {[]string{garbled, slaveText(20000), garbled}, []string{probeA + " 20"}, nil, 2},
		"none is":             {[]string{garbled, garbled, garbled, garbled, slaveText(20000)}, nil, []string{probeA + " crc"}, 4},
		"shorted to ground":   {[]string{strings.Repeat("00 ", 9) + ": crc=00 YES\n" + strings.Repeat("00 ", 9) + "t=0\n"}, nil, []string{probeA + " crc"}, 4},
		"another fault stays": {[]string{"", slaveText(20000)}, nil, []string{probeA + " format"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t)
			tree.write(probeA, "w1_slave", "")
			s := newScript(map[string][]string{probeA + "/w1_slave": c.texts})
			o := &OneWire{Root: tree.root, read: s.read}
			samples, err := o.Sample(t.Context())
			expect(t, samples, err, c.values, c.classes)
			if got := s.reads[probeA+"/w1_slave"]; got != c.reads {
				t.Errorf("%d reads, want %d", got, c.reads)
			}
		})
	}
}

func TestB1_RetriesEndWithTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree(t)
		tree.write(probeA, "w1_slave", "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var reads atomic.Int32
		o := &OneWire{Root: tree.root, read: func(path string, buf []byte) (int, error) {
			if filepath.Base(path) != "w1_slave" {
				return readAttribute(path, buf)
			}
			reads.Add(1)
			<-time.After(750 * time.Millisecond) // a conversion
			return copy(buf, garbled), nil
		}}
		began := time.Now()
		samples, err := o.Sample(ctx)
		expect(t, samples, err, nil, []string{probeA + " timeout"})
		if took := time.Since(began); took >= time.Second {
			t.Errorf("Sample took %s, all that it had: nothing is left to return in", took)
		}
		<-time.After(time.Minute)
		if n := reads.Load(); n != 2 {
			t.Errorf("%d reads, want the one after which time was left, and the one during which it ended", n)
		}
	})
}

func TestB2_ThePowerOnValue(t *testing.T) {
	const dropped = "power_on"
	for name, c := range map[string]struct {
		features string
		milli    []int
		want     []string
	}{
		"cold":                            {"0", []int{20100, 85000, 20200}, []string{"20.1", dropped, "20.2"}},
		"hot":                             {"0", []int{84500, 85000, 85100}, []string{"84.5", "85?", "85.1"}},
		"the first of all":                {"0", []int{85000, 85000, 84000}, []string{dropped, dropped, "84"}},
		"just within":                     {"0", []int{80000, 85000, 85000}, []string{"80", "85?", "85?"}},
		"just without":                    {"0", []int{79999, 85000, 90001, 85000}, []string{"79.999", dropped, "90.001", dropped}},
		"nearly":                          {"0", []int{20100, 84999, 20200, 85001}, []string{"20.1", "84.999", "20.2", "85.001"}},
		"the driver checks":               {"1", []int{20100, 85000, 20200}, []string{"20.1", "85", "20.2"}},
		"the driver checks and polls":     {"3\n", []int{85000}, []string{"85"}},
		"the driver polls, and no more":   {"2\n", []int{85000}, []string{dropped}},
		"features says nothing readable":  {"one", []int{85000}, []string{dropped}},
		"the kernel knows of no features": {"", []int{85000}, []string{dropped}},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t)
			tree.write(probeA, "w1_slave", "")
			if c.features != "" {
				tree.write(probeA, "features", c.features)
			}
			o := &OneWire{Root: tree.root}
			for i, milli := range c.milli {
				tree.write(probeA, "w1_slave", slaveText(milli))
				samples, err := o.Sample(t.Context())
				if c.want[i] == dropped {
					expect(t, samples, err, nil, []string{probeA + " " + dropped})
				} else {
					expect(t, samples, err, []string{probeA + " " + c.want[i]}, nil)
				}
			}
		})
	}
}

func TestB2_WhatWasHotBeforeItWasUnpluggedIsForgotten(t *testing.T) {
	tree := newTree(t)
	tree.write(probeA, "w1_slave", slaveText(84500))
	o := &OneWire{Root: tree.root}
	samples, err := o.Sample(t.Context())
	expect(t, samples, err, []string{probeA + " 84.5"}, nil)
	tree.unplug(probeA)
	samples, err = o.Sample(t.Context())
	expect(t, samples, err, nil, []string{probeA + " missing"})
	tree.write(probeA, "w1_slave", slaveText(85000))
	samples, err = o.Sample(t.Context())
	expect(t, samples, err, nil, []string{probeA + " power_on"})
}

func TestB3_AFaultIsOneProbesOwn(t *testing.T) {
	const first = "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n"
	for name, c := range map[string]struct {
		spoil func(tree slaveTree)
		class Class
	}{
		"-127":                     {text(slaveText(-127000)), Range},
		"127.9":                    {text(slaveText(127937)), Range},
		"above 125":                {text(slaveText(125001)), Range},
		"below -55":                {text(slaveText(-55001)), Range},
		"no t=":                    {text(first + "72 01 4b 46 7f ff 0e 10 57\n"), Format},
		"t= and nothing":           {text(first + "72 01 4b 46 7f ff 0e 10 57 t=\n"), Format},
		"t= and no whole number":   {text(first + "72 01 4b 46 7f ff 0e 10 57 t=21.5\n"), Format},
		"t= beyond all integers":   {text(first + "72 01 t=99999999999999999999\n"), Format},
		"only the first line":      {text(first), Format},
		"three lines":              {text(slaveText(20000) + "t=30000\n"), Format},
		"no verdict":               {text("72 01 : crc=57\n72 01 t=20000\n"), Format},
		"empty":                    {text(""), Format},
		"blank":                    {text("\n\n"), Format},
		"no file at all":           {func(t slaveTree) { t.write(probeA, "name", probeA) }, Missing},
		"temperature is empty":     {func(t slaveTree) { t.write(probeA, "temperature", "") }, Format},
		"temperature is a word":    {func(t slaveTree) { t.write(probeA, "temperature", "warm\n") }, Format},
		"temperature out of range": {func(t slaveTree) { t.write(probeA, "temperature", "-127000\n") }, Range},
		"w1_slave is a directory": {func(t slaveTree) {
			if err := os.MkdirAll(filepath.Join(t.dir(probeA), "w1_slave"), 0o700); err != nil {
				t.Fatal(err)
			}
			t.write(probeA, "temperature", "20000\n") // not asked: w1_slave is there
		}, IO},
		"EIO": {func(t slaveTree) {
			t.write(probeA, "name", probeA)
			if err := os.Symlink("/proc/self/mem", filepath.Join(t.dir(probeA), "w1_slave")); err != nil {
				t.Fatal(err)
			}
		}, IO},
		"swapped ROM id": {func(t slaveTree) {
			t.write(probeA, "w1_slave", slaveText(20000))
			t.write(probeA, "id", "\x28\xc3\xfd\xe2\x05\x00\x00\xaa") // of probe B
		}, Format},
		"another family's ROM id": {func(t slaveTree) {
			t.write(probeA, "w1_slave", slaveText(20000))
			t.write(probeA, "id", "\x22\x12\x5b\x79\xa2\x16\x03\xaa")
		}, Format},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t)
			tree.write(probeB, "w1_slave", slaveText(19500))
			tree.write(probeB, "id", "\x28\xc3\xfd\xe2\x05\x00\x00\xaa")
			c.spoil(tree)
			o := &OneWire{Root: tree.root}
			for range 2 {
				samples, err := o.Sample(t.Context())
				expect(t, samples, err, []string{probeB + " 19.5"}, []string{probeA + " " + string(c.class)})
			}
			tree.unplug(probeA)
			tree.write(probeA, "w1_slave", slaveText(21000))
			samples, err := o.Sample(t.Context())
			expect(t, samples, err, []string{probeB + " 19.5", probeA + " 21"}, nil)
		})
	}
}

func text(w1Slave string) func(slaveTree) {
	return func(t slaveTree) { t.write(probeA, "w1_slave", w1Slave) }
}

func TestB3_AProbeIsUnpluggedWhileItIsRead(t *testing.T) {
	tree := newTree(t)
	tree.write(probeA, "w1_slave", "")
	tree.write(probeB, "w1_slave", slaveText(19500))
	o := &OneWire{Root: tree.root, read: func(path string, buf []byte) (int, error) {
		if strings.Contains(path, probeA) && filepath.Base(path) == "w1_slave" {
			tree.unplug(probeA)
		}
		return readAttribute(path, buf)
	}}
	samples, err := o.Sample(t.Context())
	expect(t, samples, err, []string{probeB + " 19.5"}, []string{probeA + " missing"})
	samples, err = o.Sample(t.Context())
	expect(t, samples, err, []string{probeB + " 19.5"}, []string{probeA + " missing"})
}

func TestB3_NoTreeAndNoProbeAreFaultsThatHeal(t *testing.T) {
	tree := newTree(t)
	o := &OneWire{Root: filepath.Join(tree.root, "not-yet")}
	samples, err := o.Sample(t.Context())
	expect(t, samples, err, nil, []string{"missing"})
	if !strings.Contains(err.Error(), "w1-gpio") {
		t.Errorf("%q names no cure", err)
	}
	o.Root = tree.root
	samples, err = o.Sample(t.Context())
	expect(t, samples, err, nil, []string{"missing"})
	tree.write(probeA, "w1_slave", slaveText(21000))
	samples, err = o.Sample(t.Context())
	expect(t, samples, err, []string{probeA + " 21"}, nil)
}

func TestB3_IdsThatANoisyBusMakesUpAreForgotten(t *testing.T) {
	tree := newTree(t)
	tree.write(probeB, "w1_slave", slaveText(19500))
	o := &OneWire{Root: tree.root}
	for i := range 3 {
		for n := range 85 {
			tree.write(ghost(85*i+n), "w1_slave", "")
		}
		samples, _ := o.Sample(t.Context())
		if got := values(samples); len(got) != 1 || got[0] != probeB+" 19.5" {
			t.Fatalf("samples %q", got)
		}
		for n := range 85 {
			tree.unplug(ghost(85*i + n))
		}
	}
	tree.write(probeA, "w1_slave", slaveText(21000))
	samples, _ := o.Sample(t.Context())
	if got := values(samples); len(got) != 2 || len(o.probes) > maxProbes {
		t.Errorf("samples %q, %d probes are remembered", got, len(o.probes))
	}
}

func ghost(n int) string { return fmt.Sprintf("28-ffff%08x", n) }

func TestB4_AHungReadBlocksNobodyAndIsNotStartedTwice(t *testing.T) {
	hurry(t, &patience, usualPatience)
	synctest.Test(t, func(t *testing.T) {
		tree := newTree(t)
		tree.write(probeA, "w1_slave", "")
		tree.write(probeB, "w1_slave", slaveText(19500))
		var hangs atomic.Int32
		release := make(chan struct{})
		o := &OneWire{Root: tree.root, read: func(path string, buf []byte) (int, error) {
			if strings.Contains(path, probeA) && filepath.Base(path) == "w1_slave" {
				hangs.Add(1)
				<-release
				return copy(buf, slaveText(30000)), nil
			}
			return readAttribute(path, buf)
		}}
		for i := range 10 {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			samples, err := o.Sample(ctx)
			cancel()
			expect(t, samples, err, []string{probeB + " 19.5"}, []string{probeA + " timeout"})
			want := time.Duration(0) // known to hang: not waited for
			if i == 0 {
				want = usualPatience
			}
			if took := time.Since(began); took != want {
				t.Errorf("Sample %d took %s, want %s", i, took, want)
			}
		}
		if n := hangs.Load(); n != 1 {
			t.Errorf("%d reads of a probe that hangs, want one", n)
		}
		close(release)
		synctest.Wait()
		// What the first question was answered with is too old.
		tree.write(probeA, "w1_slave", slaveText(21000))
		o.read = nil
		samples, err := o.Sample(t.Context())
		expect(t, samples, err, []string{probeB + " 19.5", probeA + " 21"}, nil)
	})
}

func TestB4_MoreProbesHangThanAreReadAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree(t)
		release := make(chan struct{})
		last := ghost(readers)
		for n := range readers {
			tree.write(ghost(n), "w1_slave", "")
		}
		o := &OneWire{Root: tree.root, read: func(path string, buf []byte) (int, error) {
			if strings.Contains(path, "28-") && filepath.Base(path) == "w1_slave" && !strings.Contains(path, last) {
				<-release
			}
			return readAttribute(path, buf)
		}}
		if _, err := o.Sample(t.Context()); len(classes(t, err)) != readers {
			t.Errorf("faults %v", err)
		}
		// The hung ones hold no place any more.
		tree.write(last, "w1_slave", slaveText(21000))
		samples, err := o.Sample(t.Context())
		if got := values(samples); len(got) != 1 || got[0] != last+" 21" {
			t.Errorf("samples %q, %v", got, err)
		}
		close(release)
		synctest.Wait()
	})
}

func TestD7_OnlyNamesOfDS18B20AreRead(t *testing.T) {
	tree := newTree(t)
	tree.write(probeA, "w1_slave", slaveText(21000))
	for _, name := range []string{
		"w1_bus_master1", "10-000802824e58", "00-400000000000", "28-", "28-0316a2795b1", "28-0316a2795b123", "28-0316A2795B12",
		"28-0316a2795b1g", "x28-0316a2795b12", "28-0316a2795b12\n", "28-..........", "28-0316a2795b12.bak", "..28-0316a2795b12",
	} {
		if err := os.Mkdir(filepath.Join(tree.root, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree.root, name, "w1_slave"), []byte(slaveText(66000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := &OneWire{Root: tree.root, read: func(path string, buf []byte) (int, error) {
		if within, err := filepath.Rel(tree.root, path); err != nil || filepath.Dir(within) != probeA {
			t.Errorf("%s is read", path)
		}
		return readAttribute(path, buf)
	}}
	samples, err := o.Sample(t.Context())
	expect(t, samples, err, []string{probeA + " 21"}, nil)
}

func TestD7_CraftedFiles(t *testing.T) {
	good := slaveText(21000)
	for name, c := range map[string]struct {
		text    string
		values  []string
		classes []string
	}{
		"a line of 1 MiB":      {strings.Repeat("7", 1<<20), nil, []string{probeA + " format"}},
		"a value behind 4 KiB": {strings.Repeat("7", 4<<10) + good, nil, []string{probeA + " format"}},
		"4 KiB and a value":    {good + strings.Repeat("\n", attributeBytes-len(good)), []string{probeA + " 21"}, nil},
		"a byte more":          {good + strings.Repeat("\n", attributeBytes-len(good)+1), nil, []string{probeA + " format"}},
		"negative zero":        {"72 01 : crc=57 YES\n72 01 t=-0\n", []string{probeA + " 0"}, nil},
		"plus":                 {"72 01 : crc=57 YES\n72 01 t=+5\n", nil, []string{probeA + " format"}},
		"hexadecimal":          {"72 01 : crc=57 YES\n72 01 t=0x10\n", nil, []string{probeA + " format"}},
		"other digits":         {"72 01 : crc=57 YES\n72 01 t=٢٠\n", nil, []string{probeA + " format"}},
		"t= in the first line": {"t=20000 : crc=57 YES\n72 01\n", nil, []string{probeA + " format"}},
		"YES and NO":           {"72 01 : crc=57 YES NO\n72 01 t=20000\n", nil, []string{probeA + " crc"}},
		"NUL":                  {"72 01 : crc=57 YES\x00\n72 01 t=20000\n", nil, []string{probeA + " format"}},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t)
			tree.write(probeA, "w1_slave", c.text)
			o := &OneWire{Root: tree.root}
			samples, err := o.Sample(t.Context())
			expect(t, samples, err, c.values, c.classes)
			if len(samples) == 1 && strconv.FormatFloat(samples[0].Temperature, 'g', -1, 64) == "-0" {
				t.Error("a zero has a sign")
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}
