package quarantine

import (
	"encoding/json"
	"fmt"

	"cloud.google.com/go/bigquery"

	"iotbridge/schema"
)

// Message is one row of the quarantine. What a query does not ask for stays NULL.
type Message struct {
	ID              bigquery.NullString    `bigquery:"message_id" json:"message_id"`
	PublishTime     bigquery.NullTimestamp `bigquery:"publish_time" json:"publish_time"`
	QuarantineTime  bigquery.NullTimestamp `bigquery:"quarantine_time" json:"quarantine_time"`
	Subscription    bigquery.NullString    `bigquery:"subscription" json:"subscription"`
	Reason          bigquery.NullString    `bigquery:"reason" json:"reason"`
	Detail          bigquery.NullString    `bigquery:"detail" json:"detail"`
	DeviceID        bigquery.NullString    `bigquery:"device_id" json:"device_id"`
	ClaimedDeviceID bigquery.NullString    `bigquery:"claimed_device_id" json:"claimed_device_id"`
	Attributes      bigquery.NullJSON      `bigquery:"attributes" json:"-"`
	Data            []byte                 `bigquery:"data" json:"data,omitempty"` // base64 in JSON
	DeliveryAttempt bigquery.NullInt64     `bigquery:"delivery_attempt" json:"delivery_attempt"`
	Worker          bigquery.NullString    `bigquery:"worker" json:"worker"`
	Stored          bigquery.NullBool      `bigquery:"stored" json:"-"` // the table has its id
}

// MarshalJSON writes the attributes as the object that they are.
func (m *Message) MarshalJSON() ([]byte, error) {
	type plain Message
	return json.Marshal(struct {
		*plain
		Attributes json.RawMessage `json:"attributes,omitempty"`
	}{(*plain)(m), json.RawMessage(m.Attributes.JSONVal)})
}

// AttributeMap is the attributes as keys and values.
func (m *Message) AttributeMap() (map[string]string, error) {
	attributes := map[string]string{}
	if !m.Attributes.Valid {
		return attributes, nil
	}
	if err := json.Unmarshal([]byte(m.Attributes.JSONVal), &attributes); err != nil {
		return nil, fmt.Errorf("message %s: attributes are no object of strings: %w", m.ID, err)
	}
	return attributes, nil
}

// message is what Pub/Sub delivered then.
func (m *Message) message() (*schema.Message, error) {
	attributes, err := m.AttributeMap()
	if err != nil {
		return nil, err
	}
	s := &schema.Message{ID: []byte(m.ID.StringVal), Data: m.Data, Attempt: int32(m.DeliveryAttempt.Int64)}
	if m.PublishTime.Valid {
		s.PublishTime = m.PublishTime.Timestamp.UnixMicro()
	}
	for key, value := range attributes {
		s.Attributes = append(s.Attributes, schema.Attribute{Key: []byte(key), Value: []byte(value)})
	}
	return s, nil
}
