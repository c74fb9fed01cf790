package schema

// Message is one Pub/Sub message as the worker meets it. Its slices belong to
// whoever made it and hold only as long as that says; nothing in this package
// keeps them.
type Message struct {
	ID          []byte      // Pub/Sub's message id
	PublishTime int64       // µs since the epoch
	Attributes  []Attribute // as they came
	Data        []byte      // the device's payload, untouched
	Attempt     int32       // delivery attempt, 0 where the service does not count
}

// Attribute is one key and value of a message.
type Attribute struct{ Key, Value []byte }

// Attr returns an attribute's value, and whether the message has it. Of a key that
// comes twice the first counts.
func (m *Message) Attr(key string) ([]byte, bool) {
	for i := range m.Attributes {
		if string(m.Attributes[i].Key) == key {
			return m.Attributes[i].Value, true
		}
	}
	return nil, false
}
