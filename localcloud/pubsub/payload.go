package pubsub

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// payload is a message as the file keeps it.
type payload struct {
	id              int64
	key, attributes string
	data            []byte
}

func (p *payload) size() int { return len(p.data) + len(p.attributes) + len(p.key) }

func (p *payload) message() (*pubsubpb.PubsubMessage, error) {
	m := &pubsubpb.PubsubMessage{
		Data: p.data, OrderingKey: p.key, MessageId: strconv.FormatInt(p.id, 10),
		PublishTime: timestamppb.New(time.UnixMicro(p.id)),
	}
	if p.attributes != "" {
		if err := json.Unmarshal([]byte(p.attributes), &m.Attributes); err != nil {
			return nil, fmt.Errorf("attributes of message %d: %w", p.id, err)
		}
	}
	return m, nil
}

// insert writes messages under ids in a row, and what is pending by them.
func (st *store) insert(topic, first int64, messages []*pubsubpb.PubsubMessage) error {
	ctx := context.Background()
	for i, m := range messages {
		attributes := ""
		if len(m.Attributes) > 0 {
			text, err := json.Marshal(m.Attributes)
			if err != nil {
				return err
			}
			attributes = string(text)
		}
		data := m.Data
		if data == nil {
			data = []byte{}
		}
		if _, err := st.insertMessage.ExecContext(ctx, first+int64(i), topic, m.OrderingKey, attributes, data); err != nil {
			return err
		}
	}
	_, err := st.insertPending.ExecContext(ctx, topic, first, first+int64(len(messages))-1)
	return err
}

// payloads runs one of the selects, and stops after so many bytes; 0 is no bound.
func (st *store) payloads(ctx context.Context, stmt *sql.Stmt, bytes int, args ...any) (_ []*payload, err error) {
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = status.Error(codes.Unavailable, st.explain(err).Error())
		}
	}()
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []*payload
	size := 0
	for (bytes == 0 || size < bytes) && rows.Next() {
		p := &payload{}
		if err := rows.Scan(&p.id, &p.key, &p.attributes, &p.data); err != nil {
			return nil, err
		}
		found = append(found, p)
		size += p.size()
	}
	return found, rows.Err()
}
