package bigquery

import (
	"encoding/json"
	"strings"
)

// createTable makes a table or a view.
func (c *catalog) createTable(t *table) error {
	return c.commits.exclusive(func(w *writer) (func(), error) {
		if c.dataset(t.name.datasetName) == nil {
			return nil, notFound("Dataset", t.name.project+":"+t.name.dataset)
		}
		for _, other := range c.tablesOf(t.name.datasetName) {
			if strings.EqualFold(other.name.table, t.name.table) { // SQLite has no two such tables
				return nil, duplicate("Table", t.name.rest())
			}
		}
		if !t.isView() {
			ddl := make([]string, len(t.columns))
			for i, col := range t.columns {
				ddl[i] = col.ddl()
			}
			if len(ddl) == 0 {
				return nil, invalid("table %s: a schema with at least one column is needed", t.name)
			}
			if err := w.exec("CREATE TABLE " + quote(t.name.String()) + " (" + strings.Join(ddl, ", ") + ")"); err != nil {
				return nil, err
			}
		}
		return c.save(w, t)
	})
}

// changeTable puts a new version in the place of old: columns may be added and relaxed.
func (c *catalog) changeTable(old, new *table) error {
	return c.commits.exclusive(func(w *writer) (func(), error) {
		if c.table(old.name) != old {
			return nil, changed(true, "Table", old.name.rest())
		}
		if old.isView() != new.isView() {
			return nil, invalid("Cannot change the type of table %s", old.name.rest())
		}
		if !old.isView() {
			if err := compatible(old, new); err != nil {
				return nil, err
			}
			for _, col := range new.columns[len(old.columns):] {
				if err := w.exec("ALTER TABLE " + quote(old.name.String()) + " ADD COLUMN " + col.ddl()); err != nil {
					return nil, err
				}
			}
		}
		c.commits.forget(old)
		return c.save(w, new)
	})
}

// compatible says whether rows of old are rows of new: the same columns in the same order,
// each of them relaxed at the most, and new NULLABLE ones after them.
func compatible(old, new *table) error {
	if len(new.columns) < len(old.columns) {
		return invalid("Provided Schema does not match Table %s. Columns are missing in it", old.name.rest())
	}
	for i, n := range new.columns {
		switch {
		case i >= len(old.columns):
			if n.required {
				return invalid("Provided Schema does not match Table %s. Cannot add required column %s", old.name.rest(), n.name)
			}
		case !strings.EqualFold(n.name, old.columns[i].name):
			return invalid("Provided Schema does not match Table %s. Column %s stands where %s was", old.name.rest(), n.name, old.columns[i].name)
		case n.typ != old.columns[i].typ:
			return invalid("Provided Schema does not match Table %s. Field %s has changed type from %s to %s", old.name.rest(), n.name, old.columns[i].typ, n.typ)
		case n.required && !old.columns[i].required:
			return invalid("Provided Schema does not match Table %s. Field %s has changed mode from NULLABLE to REQUIRED", old.name.rest(), n.name)
		}
	}
	return nil
}

// dropTable deletes a table and its rows.
func (c *catalog) dropTable(t *table) error {
	return c.commits.exclusive(func(w *writer) (func(), error) {
		if c.table(t.name) == nil {
			return nil, notFound("Table", t.name.rest())
		}
		return c.locked(func() { delete(c.tables, t.name) }), c.drop(w, t)
	})
}

// dropDataset deletes a dataset, and what is in it if contents says so.
func (c *catalog) dropDataset(n datasetName, contents bool) error {
	return c.commits.exclusive(func(w *writer) (func(), error) {
		tables := c.tablesOf(n)
		if len(tables) > 0 && !contents {
			return nil, &apiError{code: 400, reason: "resourceInUse", message: "Dataset " + n.project + ":" + n.dataset + " is still in use"}
		}
		for _, t := range tables {
			if err := c.drop(w, t); err != nil {
				return nil, err
			}
		}
		return c.locked(func() {
			delete(c.datasets, n)
			for _, t := range tables {
				delete(c.tables, t.name)
			}
		}), w.exec("DELETE FROM _datasets WHERE project = ? AND dataset = ?", n.project, n.dataset)
	})
}

func (c *catalog) drop(w *writer, t *table) error {
	c.commits.forget(t)
	if !t.isView() {
		if err := w.exec("DROP TABLE " + quote(t.name.String())); err != nil {
			return err
		}
	}
	return w.exec("DELETE FROM _tables WHERE project = ? AND dataset = ? AND name = ?", t.name.project, t.name.dataset, t.name.table)
}

func (c *catalog) save(w *writer, t *table) (func(), error) {
	resource, err := json.Marshal(t.resource)
	if err != nil {
		return nil, err
	}
	err = w.exec("INSERT OR REPLACE INTO _tables VALUES (?, ?, ?, ?)", t.name.project, t.name.dataset, t.name.table, string(resource))
	return c.locked(func() { c.tables[t.name] = t }), err
}
