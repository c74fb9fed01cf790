package schema

// Table is one destination table as data: what schema/*.yaml say.
type Table struct {
	Name        string
	Description string
	Claim       string  // body member that claims the device's identity; "" where no body does
	Unknown     Unknown // what becomes of members that no column takes
	Partition   string  // DAY-partitioning TIMESTAMP column
	Cluster     []string
	Columns     []Column
}

// Column is one column. Column i is field i+1 of the row's protobuf message.
type Column struct {
	Name        string
	Type        Type
	Required    bool
	Description string
	From        string // attribute.NAME, body, body.NAME, body.*, message.*, worker.*, verdict.*
	Min, Max    *float64
	MaxBytes    int
	Unit        string // of a number that is a time: s, ms, us, ns; default s
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
