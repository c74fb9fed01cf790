package bigquery

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"slices"
	"sync"

	bq "google.golang.org/api/bigquery/v2"
)

// catalog is what there is: kept in the file, and whole in memory.
type catalog struct {
	commits *committer

	mu       sync.RWMutex
	datasets map[datasetName]*bq.Dataset
	tables   map[tableName]*table
}

func loadCatalog(c *committer) (*catalog, error) {
	cat := &catalog{commits: c, datasets: map[datasetName]*bq.Dataset{}, tables: map[tableName]*table{}}
	w := c.store.writer
	err := w.load("SELECT project, dataset, resource FROM _datasets", func(row []driver.Value) error {
		var r bq.Dataset
		cat.datasets[datasetName{row[0].(string), row[1].(string)}] = &r
		return json.Unmarshal([]byte(row[2].(string)), &r)
	})
	if err != nil {
		return nil, c.store.explain(err)
	}
	err = w.load("SELECT project, dataset, name, resource FROM _tables", func(row []driver.Value) error {
		var r bq.Table
		if err := json.Unmarshal([]byte(row[3].(string)), &r); err != nil {
			return err
		}
		name := tableName{datasetName{row[0].(string), row[1].(string)}, row[2].(string)}
		t, err := newTable(name, &r)
		cat.tables[name] = t
		return err
	})
	return cat, c.store.explain(err)
}

// dataset and table return nil for what there is not.
func (c *catalog) dataset(n datasetName) *bq.Dataset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.datasets[n]
}

func (c *catalog) table(n tableName) *table {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tables[n]
}

// datasetsOf and tablesOf are sorted by name.
func (c *catalog) datasetsOf(project string) []*bq.Dataset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []*bq.Dataset
	for n, d := range c.datasets {
		if n.project == project {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *bq.Dataset) int { return cmp.Compare(a.Id, b.Id) })
	return out
}

func (c *catalog) tablesOf(n datasetName) []*table {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []*table
	for _, t := range c.tables {
		if t.name.datasetName == n {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *table) int { return cmp.Compare(a.name.table, b.name.table) })
	return out
}

// putDataset stores a dataset in the place of old, which is nil for a new one.
func (c *catalog) putDataset(n datasetName, old, new *bq.Dataset) error {
	return c.commits.exclusive(func(w *writer) (func(), error) {
		if c.dataset(n) != old {
			return nil, changed(old != nil, "Dataset", n.project+":"+n.dataset)
		}
		resource, err := json.Marshal(new)
		if err != nil {
			return nil, err
		}
		err = w.exec("INSERT OR REPLACE INTO _datasets VALUES (?, ?, ?)", n.project, n.dataset, string(resource))
		return c.locked(func() { c.datasets[n] = new }), err
	})
}

// locked wraps a change of the maps.
func (c *catalog) locked(change func()) func() {
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		change()
	}
}
