package schema

// Table is one destination table as data: what schema/*.yaml say.
type Table struct {
	Name        string   `yaml:"name"`
	Description string   `yaml:"description"`
	Claim       string   `yaml:"claim"`     // body member that claims the device's identity; "" where no body does
	Unknown     Unknown  `yaml:"unknown"`   // what becomes of members that no column takes
	Partition   string   `yaml:"partition"` // DAY-partitioning TIMESTAMP column
	Cluster     []string `yaml:"cluster"`
	Columns     []Column `yaml:"columns"`
}

// Column is one column. Column i is field i+1 of the row's protobuf message.
type Column struct {
	Name        string   `yaml:"name"`
	Type        Type     `yaml:"type"`
	Required    bool     `yaml:"required"`
	Description string   `yaml:"description"`
	From        string   `yaml:"from"`      // attribute.NAME, body, body.NAME, body.*, or one of the facts in sources
	Min         *float64 `yaml:"min"`       // of a number: the least that is accepted
	Max         *float64 `yaml:"max"`       // of a number: the most that is accepted
	MaxBytes    int      `yaml:"max_bytes"` // of a text; 0 is no bound of its own
	Unit        string   `yaml:"unit"`      // of a number that is a time: s, ms, us, ns; default s
}

// Type is a BigQuery type, by its GoogleSQL name.
type Type string

// The types a column may have.
const (
	String    Type = "STRING"
	Bytes     Type = "BYTES"
	Int64     Type = "INT64"
	Float64   Type = "FLOAT64"
	Bool      Type = "BOOL"
	Timestamp Type = "TIMESTAMP"
	JSON      Type = "JSON"
)

// Unknown is a table's setting for members of the body that no column takes.
type Unknown string

// The settings; Keep needs a column from body.*.
const (
	Keep   Unknown = "keep"
	Drop   Unknown = "drop"
	Reject Unknown = "reject"
)

// sources are the facts about a message, its worker and its verdict that a
// column may come from, and the type that each one has.
var sources = map[string]Type{
	"message.id":          String,
	"message.publishTime": Timestamp,
	"message.attributes":  JSON, // one object of strings
	"message.data":        Bytes,
	"message.attempt":     Int64, // NULL where it is 0
	"worker.now":          Timestamp,
	"worker.subscription": String,
	"worker.name":         String,
	"verdict.reason":      String,
	"verdict.detail":      String,
	"verdict.claim":       String,
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}
