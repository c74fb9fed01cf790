package schema

// Plan is a table compiled: how a message becomes a row. It is immutable and
// may be shared.
type Plan struct {
	table    *Table
	columns  []column
	attrs    attributeSlots
	members  members
	readBody bool // some column, or the claim, needs it
}

// Table is what the plan was compiled from.
func (p *Plan) Table() *Table { return p.table }

// column is a Column compiled.
type column struct {
	name     string
	tag      uint64 // field number and wire type
	source   source
	slot     int // of the attribute or the member
	required bool
	maxBytes int
	min, max float64
	scale    int // power of ten from a number's unit to a µs
}

// source says where a column's value comes from, and what it becomes.
type source uint8

const (
	fromAttribute source = iota
	fromBody
	fromRest // the members that no column takes
	fromMemberString
	fromMemberJSON
	fromMemberInt64
	fromMemberFloat64
	fromMemberBool
	fromMemberTimestamp
	fromMessageID
	fromPublishTime
	fromAttempt
	fromAttributes
	fromData
	fromNow
	fromSubscription
	fromWorker
	fromReason
	fromDetail
	fromClaim
)

// attributeSlots finds the attributes that a plan reads: by length, then by name.
type attributeSlots struct {
	byLen [][]attributeSlot
	names []string
}

type attributeSlot struct {
	name string
	slot int
}

// The slots that each plan has.
const (
	deviceIDSlot = iota
	deviceNumIDSlot
)

func (a *attributeSlots) add(name string) (slot int) {
	for i, n := range a.names {
		if n == name {
			return i
		}
	}
	for len(a.byLen) <= len(name) {
		a.byLen = append(a.byLen, nil)
	}
	slot = len(a.names)
	a.names = append(a.names, name)
	a.byLen[len(name)] = append(a.byLen[len(name)], attributeSlot{name, slot})
	return slot
}

// find sets at[slot] to one more than the index of the slot's attribute: 0 is
// absent. Of a key that comes twice the first counts, as it does in Message.Attr.
func (a *attributeSlots) find(at []int32, attributes []Attribute) {
	clear(at)
	for i := range attributes {
		key := attributes[i].Key
		if len(key) >= len(a.byLen) {
			continue
		}
		for _, s := range a.byLen[len(key)] {
			if s.name == string(key) {
				if at[s.slot] == 0 {
					at[s.slot] = int32(i + 1)
				}
				break
			}
		}
	}
}
