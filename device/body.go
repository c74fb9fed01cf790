package device

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// A body's mark of a timestamp that is not simply what the clock showed.
const (
	markUnsynced  = "unsynced"  // the clock was wrong, and nobody knows by how much
	markRestamped = "restamped" // the clock was wrong; this is the time since boot, read once it was right
	markStepped   = "stepped"   // the clock jumped just before this reading
)

// readingID names a reading: the same each time it is sent, and never another's.
func readingID(stream string, seq uint64) string {
	return stream + "-" + strconv.FormatUint(seq, 10)
}

// appendBody appends the reading as it is published; at is ms since the epoch.
func (r *record) appendBody(dst []byte, deviceID, id string, at int64, mark string) []byte {
	dst = appendHead(dst, deviceID, at)
	dst = append(dst, `,"temperature":`...)
	form := byte('f')
	if a := math.Abs(r.temperature); a != 0 && (a < 1e-6 || a >= 1e15) {
		form = 'e'
	}
	dst = strconv.AppendFloat(dst, r.temperature, form, -1, 64)
	dst = append(dst, `,"reading_id":"`...)
	dst = append(append(dst, id...), '"')
	if r.probe != "" {
		dst = appendJSON(append(dst, `,"probe":`...), r.probe)
	}
	if r.suspect {
		dst = append(dst, `,"suspect":true`...)
	}
	if mark != "" {
		dst = append(append(append(dst, `,"clock":"`...), mark...), '"')
	}
	if len(r.extra) > 0 {
		dst = append(append(dst, ','), r.extra...)
	}
	return append(dst, '}')
}

// appendGap appends the notice of what was lost.
func appendGap(dst []byte, deviceID string, at int64, g Gap) []byte {
	dst = appendHead(dst, deviceID, at)
	dst = appendJSON(append(dst, `,"gap":{"stream":`...), g.Stream)
	dst = strconv.AppendUint(append(dst, `,"first":`...), g.First, 10)
	dst = strconv.AppendUint(append(dst, `,"last":`...), g.Last, 10)
	dst = appendJSON(append(dst, `,"reason":`...), g.Why)
	return append(dst, '}', '}')
}

// appendHead appends who and when: epoch seconds as decimal text, to the ms.
func appendHead(dst []byte, deviceID string, at int64) []byte {
	dst = appendJSON(append(dst, `{"device_id":`...), deviceID)
	dst = append(dst, `,"timestamp":`...)
	if at < 0 {
		dst, at = append(dst, '-'), -at
	}
	dst = strconv.AppendInt(dst, at/1000, 10)
	ms := at % 1000
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

func appendJSON(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always can be
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

// millis is t since the epoch, within what a record can hold.
func millis(t time.Time) int64 { return min(max(t.UnixMilli(), minWall), maxWall) }
