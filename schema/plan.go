package schema

// Plan is a table compiled: how a message becomes a row. It is immutable and
// may be shared.
type Plan struct {
	table *Table
}

// Compile checks the table and compiles it.
func (t *Table) Compile() (*Plan, error) { return &Plan{table: t}, nil }

// Table is what the plan was compiled from.
func (p *Plan) Table() *Table { return p.table }

// Encoder turns messages into rows by one plan. It holds scratch space: one a goroutine.
type Encoder struct {
	plan         *Plan
	requireClaim bool
}

// NewEncoder returns an encoder. With requireClaim, a body without the identity
// claim is a missing_field.
func (p *Plan) NewEncoder(requireClaim bool) *Encoder { return &Encoder{p, requireClaim} }

// Append appends the message's row, in protobuf wire form, to dst. The error is
// a *Rejection, found in the order of Reasons from Oversize on; dst then comes
// back as it was. now is the time of ingest in µs. A good message allocates nothing.
func (e *Encoder) Append(dst []byte, m *Message, now int64) ([]byte, error) { panic("unwritten") }

// Verdict is what a row of the quarantine table says beside the message.
type Verdict struct {
	*Rejection
	Claim        []byte // the body's claim; nil when it has none that can be told
	Now          int64  // µs
	Subscription string
	Worker       string
}

// AppendRejected appends a row of a table whose columns come from message.*,
// worker.*, attribute.* and verdict.*: the quarantine. It never fails.
func (p *Plan) AppendRejected(dst []byte, m *Message, v *Verdict) []byte { panic("unwritten") }

// ClaimOf returns the identity that a body claims: the claim's text when it is
// a string or a number of at most 255 bytes and the body can be read, else nil.
func (p *Plan) ClaimOf(data []byte) []byte { panic("unwritten") }
