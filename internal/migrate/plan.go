package migrate

import (
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/schema"
)

// Verdict is what becomes of a device.
type Verdict string

// The verdicts. After Apply, those that were to be created are Created or Failed.
const (
	Create   Verdict = "create"
	Present  Verdict = "present"  // it is there, with these keys
	Collides Verdict = "collides" // its id or its number is another device's
	Refused  Verdict = "refused"  // no registry takes it
	Created  Verdict = "created"
	Failed   Verdict = "failed" // the gateway said no, or nothing
)

// Step is one device of the plan.
type Step struct {
	Device
	Verdict
	Why    string // unless it is created
	Note   string // what is otherwise than it was
	Number uint64 // that it has in the registry; 0 until it is there
}

// Plan decides on each device, in their order. there is the registry as it is, by id.
// Which numbers other registries have, and deleted devices had, only Apply learns.
func Plan(devices []Device, there map[string]*iotpb.Device, now time.Time) []Step {
	steps := make([]Step, len(devices))
	taken, numbers := map[string]int{}, map[uint64]string{} // id: which step has it; number: who
	for id, d := range there {
		numbers[d.GetNumId()] = id
	}
	for i, d := range devices {
		s := &steps[i]
		s.Device = d
		switch first, twice := taken[d.GetId()]; {
		case !schema.ValidID(d.GetId()):
			s.Verdict, s.Why = Refused, faultOfID(d.GetId())
		case twice && sameKeys(d.Device, steps[first].Device.Device) && d.From == steps[first].From:
			s.Verdict, s.Why = Present, "twice in the files"
		case twice:
			s.Verdict, s.Why = Collides, "the files have another device of this id, from "+orUnknown(steps[first].From)
		default:
			taken[d.GetId()] = i
			s.decide(there[d.GetId()], now)
			s.number(numbers)
		}
	}
	return steps
}

// number looks whether a device that is to be created can have its number, and books it.
func (s *Step) number(taken map[uint64]string) {
	wish := s.wish()
	switch other := taken[wish]; {
	case s.Verdict != Create:
	case wish == 0:
		if s.GetNumId() != 0 && !s.Renumber {
			s.note("it gets a new number: its own has not 16 digits")
		}
	case other != "":
		s.Verdict, s.Why = Collides, fmt.Sprintf("its number %d is that of %s", wish, other)
	default:
		taken[wish] = s.GetId()
	}
}

// decide compares a device with the one of its id that is there; nil is none.
func (s *Step) decide(there *iotpb.Device, now time.Time) {
	given := s.Device.Device
	for i, c := range given.GetCredentials() {
		bare, err := acceptable(c.GetPublicKey(), now)
		if err != nil {
			s.Verdict, s.Why = Refused, fmt.Sprintf("key %d: %v", i+1, err)
			return
		}
		if bare != nil {
			s.note(fmt.Sprintf("key %d goes over bare: its certificate has ended", i+1))
			c.Credential = &iotpb.DeviceCredential_PublicKey{PublicKey: bare}
		}
	}
	if there == nil {
		s.Verdict = Create
		return
	}
	s.compare(there)
}

// compare decides on a device whose id is taken.
func (s *Step) compare(there *iotpb.Device) {
	if sameKeys(s.Device.Device, there) {
		s.Verdict, s.Why, s.Number = Present, "it is there already", there.GetNumId()
		if wish := s.wish(); wish != 0 && wish != s.Number {
			s.Why = fmt.Sprintf("it is there already, with the number %d", s.Number)
		}
	} else {
		s.Verdict, s.Why = Collides, "the registry has a device of this id, with other keys"
	}
}

// KeepsNumber says whether its number is, or is to be, what it was.
func (s *Step) KeepsNumber() bool {
	if s.Number != 0 {
		return s.Number == s.GetNumId()
	}
	return s.wish() != 0
}

func (s *Step) note(text string) {
	if s.Note != "" {
		s.Note += "; "
	}
	s.Note += text
}

func faultOfID(id string) string {
	switch {
	case strings.Contains(id, "+"):
		return "'+' is a wildcard of MQTT: the id cannot stand in a topic; give the device another one"
	case id == "":
		return "it has no id"
	}
	if _, ok := number(id); ok {
		return "a number is no id: a list of Device Manager's has both"
	}
	return "the id is not a letter and 2 to 254 of A-Z a-z 0-9 - . _ ~ %, not beginning with goog"
}

func orUnknown(from string) string {
	if from == "" {
		return "a registry that is not named"
	}
	return from
}
