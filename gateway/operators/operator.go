package operators

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Role is what an operator may do. A higher one may all that a lower one may.
type Role int

// The roles. The zero Role is none.
const (
	Viewer Role = iota + 1 // sees
	Admin                  // changes
)

var roles = map[string]Role{"viewer": Viewer, "admin": Admin}

func (r Role) String() string {
	for name, role := range roles {
		if role == r {
			return name
		}
	}
	return "none"
}

// Operator is who has proved to be in the file.
type Operator struct {
	Name   string
	Role   Role
	Within string // projects/P[/locations/L[/registries/R]]; "": everywhere
}

// May says whether the operator has the role, and for that resource.
func (o Operator) May(role Role, resource string) bool {
	return role >= Viewer && o.Role >= role && o.Reaches(resource)
}

// Reaches says whether a resource name is within what the operator was given.
func (o Operator) Reaches(resource string) bool {
	rest, within := strings.CutPrefix(resource, o.Within)
	return o.Within == "" || within && (rest == "" || rest[0] == '/')
}

// Line is the operator's line of the file, with what the token leaves there.
func (o Operator) Line(token string) string {
	return strings.TrimSpace(o.Name+" "+o.Role.String()+" "+hash(token)+" "+o.Within) + "\n"
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Call is what an operator asks for, and what it takes.
type Call struct {
	Method   string        // of a closed set: it is a metric's label; "": there is no such
	Role     Role          // none: nobody may
	Resource string        // its name
	Most     time.Duration // that it may last; 0: a minute
}

type key struct{}

// With is ctx on behalf of an operator.
func With(ctx context.Context, o Operator) context.Context { return context.WithValue(ctx, key{}, o) }

// From is on whose behalf ctx is; the zero Operator, who may nothing, when nobody's.
func From(ctx context.Context) Operator {
	o, _ := ctx.Value(key{}).(Operator)
	return o
}
