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
	Collides Verdict = "collides" // its id is another device's
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
	Number uint64 // that it got; 0 until it is created
}

// Plan decides on each device, in their order. there is the registry as it is, by id.
func Plan(devices []Device, there map[string]*iotpb.Device, now time.Time) []Step {
	steps := make([]Step, len(devices))
	taken := map[string]int{} // id: which step has it
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
		}
	}
	return steps
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
		s.Verdict, s.Why = Present, "it is there already"
	} else {
		s.Verdict, s.Why = Collides, "the registry has a device of this id, with other keys"
	}
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
