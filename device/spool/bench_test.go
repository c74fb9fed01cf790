package spool

import (
	"path/filepath"
	"testing"
	"time"
)

func BenchmarkAppend(b *testing.B) {
	for name, sync := range map[string]time.Duration{"each": 0, "grouped": time.Hour} {
		b.Run("sync="+name, func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "spool"), Options{Sync: sync})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			record := reading(0)
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Append(record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Next and Ack of one record, of a backlog of seven days at 1 Hz.
func BenchmarkDrain(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "spool")
	if err := prefill(dir); err != nil {
		b.Fatal(err)
	}
	s, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		seq, _, err := s.Next(0)
		if err != nil {
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			if err := prefill(dir); err != nil {
				b.Fatal(err)
			}
			if s, err = Open(dir, Options{}); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			continue
		}
		if err := s.Ack(seq); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(highWater(), "MiB-resident-at-most")
}
