package pubsub

import (
	"strings"
	"testing"
)

// No statement of the hot path walks a table or builds an index on the way.
func TestPlans(t *testing.T) {
	s := open(t, Options{})
	for name, c := range map[string]struct {
		statement  string
		parameters int
	}{
		"insertPending":  {insertPending, 3},
		"forgetMessages": {forgetMessages, 4},
		"deletePending":  {deletePending, 3},
		"selectPending":  {selectPending, 3},
		"selectAgain":    {selectAgain, 2},
	} {
		for _, step := range plan(t, s.store, c.statement, c.parameters) {
			walks := strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "j VIRTUAL TABLE")
			backlog := strings.Contains(step, "subscription=?") && !strings.Contains(step, "message")
			if walks || backlog || strings.Contains(step, "AUTOMATIC") {
				t.Errorf("%s: %s", name, step)
			}
		}
	}
}

func plan(t *testing.T, st *store, statement string, parameters int) (steps []string) {
	t.Helper()
	rows, err := st.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, make([]any, parameters)...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
