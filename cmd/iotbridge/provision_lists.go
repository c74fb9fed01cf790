package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
)

type provisionList struct {
	Add    listAdd    `cmd:"" help:"Put units on the list."`
	Remove listRemove `cmd:"" help:"Take units off the list."`
	List   listList   `cmd:"" help:"Show the list."`
}

// listOf is the word of the command line that is a list's name.
func listOf(k *kong.Context) provision.List {
	for _, word := range strings.Fields(k.Command()) {
		if l := provision.List(word); l == provision.Allow || l == provision.Deny {
			return l
		}
	}
	return ""
}

type listAdd struct {
	inProfile `embed:""`
	Units     []string `arg:"" name:"unit" help:"Lists in CSV, serials, or MACs; - is standard input."`
}

const listHelp = `A list is CSV with a heading, of the columns serial, mac, claim_secret and claim_secret_sha256, a unit a line by serial or by MAC; or, without a heading, one serial or MAC a line:

  serial,claim_secret
  10000000A1B2C3D4,k7Qw-03xV-99Lm-aa41

Serials are written in capitals, MACs as aa:bb:cc:dd:ee:ff, before they are compared. Claim secrets do not leave this machine: their SHA-256 does. A mistake in any list is told with its line before anything is sent.`

// Help is shown after the flags.
func (*listAdd) Help() string {
	return listHelp + ` To run it again is safe: what is there stays there.`
}

// Run adds.
func (c *listAdd) Run(ctx context.Context, out io.Writer, k *kong.Context) error {
	return c.change(ctx, out, listOf(k), c.Units, "")
}

type listRemove struct {
	inProfile `embed:""`
	Units     []string `arg:"" name:"unit" help:"Lists in CSV, serials, or MACs; - is standard input."`
}

// Help is shown after the flags.
func (*listRemove) Help() string {
	return listHelp + ` A device that was granted stays one: iotbridge devices block keeps it out.`
}

// Run removes.
func (c *listRemove) Run(ctx context.Context, out io.Writer, k *kong.Context) error {
	return c.change(ctx, out, listOf(k), c.Units, ":remove")
}

// partSize is how many entries are sent at once: the gateway answers for each part.
const partSize = 20_000

// tally is what came of a change.
type listTally struct {
	Entries    int `json:"entries"` // that were read
	Duplicates int `json:"duplicates"`
	Changed    int `json:"changed"` // that were new, or were there to be removed
}

func (c *inProfile) change(ctx context.Context, out io.Writer, list provision.List, units []string, verb string) error {
	spool, err := os.CreateTemp("", "iotbridge-list-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	var t listTally
	if err := t.read(spool, list, units); err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return c.atDesk(out, func(d *desk) error {
		bar := newProgressBar(os.Stderr, t.Entries-t.Duplicates)
		lines := bufio.NewReader(spool)
		for done := 0; done < t.Entries-t.Duplicates; {
			part, n, err := nextPart(lines)
			if err != nil {
				return err
			}
			var taken office.Imported
			if err := c.sendPart(ctx, d, in("profiles", c.Profile, "lists", string(list))+verb, part, &taken); err != nil {
				bar.end()
				return fmt.Errorf("%w (%d of %d entries were sent before; to run it again is safe)", plain(err), done, t.Entries-t.Duplicates)
			}
			done, t.Changed = done+n, t.Changed+taken.Changed
			bar.show(done)
		}
		bar.end()
		return d.print(&t, func(out io.Writer) { t.tell(out, list, verb) })
	})
}

func (c *inProfile) sendPart(ctx context.Context, d *desk, path, part string, taken *office.Imported) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return d.send(ctx, http.MethodPost, path, inCSV, strings.NewReader(part), taken)
}

func (t *listTally) tell(out io.Writer, list provision.List, verb string) {
	what, other := "added to", "were there already"
	if verb != "" {
		what, other = "removed from", "were not there"
	}
	fmt.Fprintf(out, "%d of %d entries %s the %s list, %d %s\n", t.Changed, t.Entries, what, list, t.Entries-t.Duplicates-t.Changed, other)
	if t.Duplicates > 0 {
		fmt.Fprintf(out, "%d came twice\n", t.Duplicates)
	}
}

// nextPart is a list of partSize entries, or of those that are left.
func nextPart(lines *bufio.Reader) (part string, n int, err error) {
	var b strings.Builder
	b.Write(office.AppendEntryHeading(nil))
	for n < partSize {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", 0, err
		}
		b.Write(line)
		n++
	}
	return b.String(), n, nil
}

// read writes what the command line names into the spool, canonical and each once. Of
// an entry with a secret that comes twice both go: the later one counts.
func (t *listTally) read(spool io.Writer, list provision.List, units []string) error {
	w := bufio.NewWriter(spool)
	seen, seed := map[uint64]struct{}{}, maphash.MakeSeed()
	var text []byte
	take := func(e provision.Entry) error {
		text = office.AppendEntry(text[:0], e)
		t.Entries++
		h := maphash.Bytes(seed, text)
		if _, twice := seen[h]; twice {
			t.Duplicates++
			return nil
		}
		seen[h] = struct{}{}
		_, err := w.Write(text)
		return err
	}
	syntax := office.Syntax{List: list, Secrets: true}
	for _, unit := range units {
		from, name, err := openUnits(unit)
		if err != nil {
			return err
		}
		for e, err := range syntax.Read(from) {
			if err == nil {
				err = take(e)
			}
			if err != nil {
				from.Close()
				return fmt.Errorf("%s: %w; nothing was sent", name, err)
			}
		}
		from.Close()
	}
	return w.Flush()
}

// openUnits opens a file, or makes a list of one unit.
func openUnits(unit string) (io.ReadCloser, string, error) {
	if unit == "-" {
		return io.NopCloser(os.Stdin), "standard input", nil
	}
	_, there := os.Stat(unit)
	for e, err := range (office.Syntax{List: provision.Allow}).Read(strings.NewReader(unit)) {
		if err != nil {
			break
		}
		if there == nil {
			return nil, "", usage(unit + " is a file, and might be the serial " + e.Serial + e.MAC + ": say ./" + unit + " for the file")
		}
		return io.NopCloser(strings.NewReader(unit)), shown(unit), nil
	}
	f, err := os.Open(unit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s is neither a file nor a serial, of 4 to 64 of A-Z 0-9 -, nor a MAC", shown(unit))
	}
	return f, unit, err
}

type listList struct {
	inProfile `embed:""`
	Limit     int `default:"1000" help:"So many at the most."`
}

// Run lists: MACs, then serials.
func (c *listList) Run(ctx context.Context, out io.Writer, k *kong.Context) error {
	return c.provisioning(ctx, out, func(ctx context.Context, d *desk) error {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		if !d.json {
			fmt.Fprintln(w, "UNIT\tCLAIM SECRET")
		}
		err := d.pages(c.Limit, func(query string, limit int) (int, string, error) {
			var page office.Entries
			if err := d.call(ctx, http.MethodGet, in("profiles", c.Profile, "lists", string(listOf(k)))+"?"+query, nil, &page); err != nil {
				return 0, "", err
			}
			some := page.Entries[:min(limit, len(page.Entries))]
			for _, e := range some {
				if err := d.print(e, func(io.Writer) { fmt.Fprintf(w, "%s\t%s\n", e.Serial+e.MAC, yesNo(e.Secured)) }); err != nil {
					return 0, "", err
				}
			}
			return len(some), page.Next, nil
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}
