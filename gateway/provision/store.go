package provision

import (
	"context"
	"iter"
	"time"

	"iotbridge/gateway"
)

// Store keeps profiles, lists and claims beside the registry. Its errors are the
// gateway's: ErrNotFound, ErrExists, ErrConflict, ErrInvalid, ErrFull; any other is our fault
// and may pass.
type Store interface {
	Profile(ctx context.Context, id string) (*Profile, error)
	// Listed says what the lists hold of a unit.
	Listed(ctx context.Context, profile string, u Unit) (Listing, error)
	// Claim returns ErrNotFound when the unit has none, or one that was reset.
	Claim(ctx context.Context, profile, serial string) (*Claim, error)
	// ClaimOf finds the claim whose Certificate or Previous has the SHA-256.
	ClaimOf(ctx context.Context, certificate [32]byte) (*Claim, error)
	// Settle locks the unit's claim, lets decide see all that the decision rests on as
	// it is now, and writes what decide returns, with the device, its credentials and
	// the audit record, in one transaction. decide may be called again, and holds up all
	// that is written in the profile: it waits for nothing. Its error ends the
	// transaction and is returned; a nil Change writes nothing. What the store refuses
	// whatever decide says: a device's name that another device has, and a key that
	// another unit or device has (ErrExists); a device that was deleted and whose claim
	// was not reset (ErrNotFound); a profile with MaxDevices (ErrFull).
	Settle(ctx context.Context, profile string, u Unit, spki [32]byte, decide func(Known) (*Change, error)) (*Claim, error)
	// Used tells that a device has connected with a credential: claimed becomes
	// active, and what the credential replaces goes.
	Used(ctx context.Context, device uint64, credential gateway.Credential, at time.Time) error
}

// Known is what a decision rests on.
type Known struct {
	Profile  Profile
	Listing  Listing
	Claim    *Claim          // nil: none, or reset
	Device   *gateway.Device // of the claim, also of one that was reset; nil: none, or deleted since
	KeyOwner string          // another's serial, or device's name, that has the key already; "": nobody's
}

// Listing is what the lists say of a unit.
type Listing struct {
	Allowed, Denied bool
	Secret          []byte // SHA-256 of its claim secret; nil: none
}

// Change is what a decision writes: a claim, and when it grants, the device with
// exactly these credentials, one of them with the claim's key. The device is the
// claim's, or is made. Of the claim the store sets itself: Profile, the unit's serial,
// Device, Number, Created and Updated.
type Change struct {
	Claim       Claim
	Credentials []gateway.Credential // nil: the device is left as it is
	DeviceID    string               // of a device that is made
	Metadata    map[string]string    // of a device that is made
	Blocked     bool                 // blocks it; it never unblocks one
	Actor       string               // of the audit record; "": provisioning/PROFILE
	Action      string               // of the audit record: provision_claim, provision_pending, …
	Detail      string
}

// Office is what operators do. Everything is durable and in the audit log before it
// is answered.
type Office interface {
	// Profiles come without their webhooks' secrets, as PutProfile's answer does.
	Profiles(ctx context.Context, page gateway.Page) ([]*Profile, string, error)
	// PutProfile makes or changes one: Revision 0 makes it (ErrExists), any other must
	// be the latest (ErrConflict). A webhook without a secret keeps the one before it.
	// When it returns, nobody is granted anything any more by what the profile was.
	PutProfile(ctx context.Context, actor string, p *Profile) (*Profile, error)
	// DeleteProfile deletes its lists too; ErrInUse while units have claims in it.
	DeleteProfile(ctx context.Context, actor, id string) error

	// Enlist adds entries in transactions of thousands, and returns how many were new.
	// An entry that is there already is replaced. After an error those that came before
	// are there.
	Enlist(ctx context.Context, actor, profile string, list List, entries iter.Seq2[Entry, error]) (added int, err error)
	Delist(ctx context.Context, actor, profile string, list List, entries iter.Seq2[Entry, error]) (removed int, err error)
	Entries(ctx context.Context, profile string, list List, page gateway.Page) ([]Entry, string, error)

	Claims(ctx context.Context, profile string, state ClaimState, page gateway.Page) ([]*Claim, string, error)
	// Approve, Deny and Reset move a claim: see the package's picture. ErrConflict for a
	// move that it does not have. Reset takes all the device's credentials away with it;
	// the device stays, and is the unit's again when it is granted another.
	Approve(ctx context.Context, actor, profile, serial string) (*Claim, error)
	Deny(ctx context.Context, actor, profile, serial, why string) (*Claim, error)
	Reset(ctx context.Context, actor, profile, serial string) error
}

// List is allow or deny.
type List string

// The lists.
const (
	Allow List = "allow"
	Deny  List = "deny"
)

// Entry is a line of a list: a serial or a MAC, canonical.
type Entry struct {
	Serial string
	MAC    string // instead of a serial
	Secret []byte // SHA-256 of the unit's claim secret; nil: none. Entries does not show it
	// Secured is set by Entries: there is a secret. What proves a unit stays in the store.
	Secured bool
}

// Asker is how many claims of a state a bootstrap certificate has asked for.
type Asker struct {
	Bootstrap string // SHA-256; "": certificates that were not named
	State     ClaimState
	Claims    int
}
