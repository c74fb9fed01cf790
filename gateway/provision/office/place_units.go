package office

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

const maxReason = 256

// Claims is a page of a profile's, of one state or, with "", all.
func (p Place) Claims(ctx context.Context, profile string, state provision.ClaimState, page gateway.Page) ([]*provision.Claim, string, error) {
	if _, err := p.Profile(ctx, profile); err != nil {
		return nil, "", err
	}
	return p.Books.Claims(ctx, profile, state, page)
}

// Claim is a unit's; the serial may stand in any of its forms, here and below.
func (p Place) Claim(ctx context.Context, profile, serial string) (*provision.Claim, error) {
	serial, err := p.unit(ctx, profile, serial)
	if err != nil {
		return nil, err
	}
	return p.Books.Claim(ctx, profile, serial)
}

// Approve lets a unit have what it has asked for.
func (p Place) Approve(ctx context.Context, actor, profile, serial string) (*provision.Claim, error) {
	serial, err := p.unit(ctx, profile, serial)
	if err != nil {
		return nil, err
	}
	return p.Books.Approve(ctx, actor, profile, serial)
}

// Deny refuses a unit; the reason is of 256 printable bytes at the most.
func (p Place) Deny(ctx context.Context, actor, profile, serial, why string) (*provision.Claim, error) {
	if len(why) > maxReason || why != printed(why) {
		return nil, wrong("reason", "has more than %d printable characters", maxReason)
	}
	serial, err := p.unit(ctx, profile, serial)
	if err != nil {
		return nil, err
	}
	return p.Books.Deny(ctx, actor, profile, serial, why)
}

// Reset makes a claim none, and its device's keys worth nothing.
func (p Place) Reset(ctx context.Context, actor, profile, serial string) error {
	serial, err := p.unit(ctx, profile, serial)
	if err != nil {
		return err
	}
	return p.Books.Reset(ctx, actor, profile, serial)
}

// unit is a canonical serial, in a profile that is there.
func (p Place) unit(ctx context.Context, profile, serial string) (string, error) {
	if _, err := p.Profile(ctx, profile); err != nil {
		return "", err
	}
	serial, err := provision.ParseSerial(serial)
	if err != nil {
		return "", gateway.ErrNotFound
	}
	return serial, nil
}

// Entries is a page of a list.
func (p Place) Entries(ctx context.Context, profile, list string, page gateway.Page) ([]provision.Entry, string, error) {
	which, err := p.list(ctx, profile, list)
	if err != nil {
		return nil, "", err
	}
	return p.Books.Entries(ctx, profile, which, page)
}

// Enlist adds a list as Syntax reads it, without claim secrets. It counts also with an
// error: what stood before the mistake is there.
func (p Place) Enlist(ctx context.Context, actor, profile, list string, text io.Reader) (Imported, error) {
	return p.each(ctx, profile, list, text, func(which provision.List, entries iter.Seq2[provision.Entry, error]) (int, error) {
		return p.Books.Enlist(ctx, actor, profile, which, entries)
	})
}

// Delist takes one away, likewise.
func (p Place) Delist(ctx context.Context, actor, profile, list string, text io.Reader) (Imported, error) {
	return p.each(ctx, profile, list, text, func(which provision.List, entries iter.Seq2[provision.Entry, error]) (int, error) {
		return p.Books.Delist(ctx, actor, profile, which, entries)
	})
}

// Strike takes one entry away, a serial or a MAC; ErrNotFound when it was not there.
func (p Place) Strike(ctx context.Context, actor, profile, list, entry string) error {
	which, err := p.list(ctx, profile, list)
	if err != nil {
		return err
	}
	e, err := one(entry)
	if err != nil {
		return wrong("entry", "%s", printed(err.Error()))
	}
	removed, err := p.Books.Delist(ctx, actor, profile, which, func(yield func(provision.Entry, error) bool) { yield(e, nil) })
	if err == nil && removed == 0 {
		err = gateway.ErrNotFound
	}
	return err
}

// list is the one of that name, of a profile that is there.
func (p Place) list(ctx context.Context, profile, name string) (provision.List, error) {
	l := provision.List(name)
	if l != provision.Allow && l != provision.Deny {
		return "", gateway.ErrNotFound
	}
	_, err := p.Profile(ctx, profile)
	return l, err
}

func (p Place) each(ctx context.Context, profile, list string, text io.Reader, do func(provision.List, iter.Seq2[provision.Entry, error]) (int, error)) (n Imported, err error) {
	which, err := p.list(ctx, profile, list)
	if err != nil {
		return n, err
	}
	n.Changed, err = do(which, func(yield func(provision.Entry, error) bool) {
		for e, err := range (Syntax{List: which}).Read(text) {
			if err == nil {
				n.Entries++
			}
			if !yield(e, err) {
				return
			}
		}
	})
	return n, err
}

// one is what a list without a heading would take a line for. In no serial is a colon
// or a dot.
func one(text string) (e provision.Entry, err error) {
	if strings.ContainsAny(text, ":.") {
		e.MAC, err = parsed(provision.ParseMAC(text))
	} else {
		e.Serial, err = parsed(provision.ParseSerial(text))
	}
	return e, err
}

// parsed says what is wrong as an operator wants to read it.
func parsed(canonical string, err error) (string, error) {
	if refusal, ok := errors.AsType[*provision.Refusal](err); ok {
		err = errors.New(refusal.Detail)
	}
	return canonical, err
}
