package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
)

const (
	profilePath = "/provisioning/{profile}"
	claimPath   = profilePath + "/claims/{serial}"
	listPath    = profilePath + "/lists/{list}"

	profilesOfPage = 25
	claimsOfPage   = 50
	waitingOfPage  = 10 // claims of each profile that wait
)

var provisioningPages = []page{
	{"GET /provisioning", "ConsoleProvisioning", (*Console).provisioning},
	{"GET " + profilePath, "ConsoleProfile", (*Console).profile},
	{"GET " + claimPath, "ConsoleClaim", (*Console).claim},
	{"GET " + listPath, "ConsoleEntries", (*Console).entries},
}

// states are a claim's, as a page offers them.
var states = []provision.ClaimState{provision.Pending, provision.Approved, provision.Claimed, provision.Active, provision.Denied}

// profileLine is a profile, with what waits in it.
type profileLine struct {
	It      *provision.Profile
	Waiting []*provision.Claim
	More    bool // wait
}

// provisioningView is a page of profiles.
type provisioningView struct {
	Lines []profileLine
	Next  string // a page's token
	May   bool
}

// Waiting says whether anything does.
func (p *provisioningView) Waiting() bool {
	return slices.ContainsFunc(p.Lines, func(l profileLine) bool { return len(l.Waiting) > 0 })
}

// profileView is a profile, its certificates and its claims.
type profileView struct {
	It           *provision.Profile
	Certificates []certificateLine
	States       []choice
	State        provision.ClaimState
	Claims       []*provision.Claim
	Next, First  string // paths
	May          bool
}

// certificateLine is one that may ask, and what it has asked for.
type certificateLine struct {
	Name, SHA256       string
	Authority, Revoked bool
	NotAfter           time.Time
	Claims             map[provision.ClaimState]int
}

type claimView struct {
	Profile     string
	It          *provision.Claim
	Device      string // its page
	Certificate string // SHA-256
	Open        bool   // to be decided on
	May         bool
}

type entriesView struct {
	Profile, List string
	Lines         []provision.Entry
	Next, First   string // paths
	May           bool
}

// claimList is a table of claims.
type claimList struct {
	Profile string
	Claims  []*provision.Claim
	Caption string
	Word    any // for forms; false: there are none
}

func claimsOf(profile string, list []*provision.Claim, caption string, word any) claimList {
	return claimList{profile, list, caption, word}
}

// Other is the other list.
func (e *entriesView) Other() string {
	if e.List == string(provision.Allow) {
		return string(provision.Deny)
	}
	return string(provision.Allow)
}

// place is provisioning here; none when nobody is provisioned.
func (c *Console) place(v *visit) (office.Place, error) {
	if c.Office == nil {
		return office.Place{}, v.fail(http.StatusNotFound, "This gateway provisions nobody: it was started without --provision-ca.")
	}
	return office.Place{Books: c.Office, Location: c.parent()}, nil
}

// provisioning is all profiles, and what waits in them.
func (c *Console) provisioning(v *visit) error {
	here, err := c.place(v)
	if err != nil {
		return err
	}
	list, next, err := here.Profiles(v.Context(), gateway.Page{Size: profilesOfPage, Token: v.URL.Query().Get("token")})
	if err != nil {
		return err
	}
	view := &provisioningView{Next: next, May: v.may(c.parent())}
	for _, p := range list {
		waiting, more, err := here.Claims(v.Context(), p.ID, provision.Pending, gateway.Page{Size: waitingOfPage})
		if errors.Is(err, gateway.ErrNotFound) {
			continue // deleted just now
		}
		if err != nil {
			return err
		}
		view.Lines = append(view.Lines, profileLine{p, waiting, more != ""})
	}
	return v.show(http.StatusOK, "provisioning", "Provisioning", view)
}

// profile is one, with a page of its claims: those that wait, unless it is said which.
func (c *Console) profile(v *visit) error {
	here, err := c.place(v)
	if err != nil {
		return err
	}
	p, err := here.Profile(v.Context(), v.PathValue("profile"))
	if err != nil {
		return err
	}
	view := &profileView{It: p, May: v.may(c.parent())}
	totals, err := c.askers(v.Context(), view)
	if err != nil {
		return err
	}
	form := v.URL.Query()
	if view.State = provision.ClaimState(form.Get("state")); !form.Has("state") && totals[provision.Pending] > 0 {
		view.State = provision.Pending
	}
	path := "/provisioning/" + url.PathEscape(p.ID) + "?state="
	all := 0
	for _, s := range states {
		view.States = append(view.States, choice{string(s), path + string(s), totals[s], s == view.State})
		all += totals[s]
	}
	view.States = append([]choice{{"All", path, all, view.State == ""}}, view.States...)
	claims, next, err := here.Claims(v.Context(), p.ID, view.State, gateway.Page{Size: claimsOfPage, Token: form.Get("token")})
	if err != nil {
		return err
	}
	view.Claims = claims
	if next != "" {
		view.Next = path + url.QueryEscape(string(view.State)) + "&token=" + url.QueryEscape(next)
	}
	if form.Get("token") != "" {
		view.First = path + url.QueryEscape(string(view.State))
	}
	return v.show(http.StatusOK, "profile", p.ID, view)
}

// askers puts the profile's certificates into the view, with what they have asked for.
func (c *Console) askers(ctx context.Context, view *profileView) (totals map[provision.ClaimState]int, err error) {
	at := map[string]int{}
	var named []string
	for i, b := range view.It.Bootstrap {
		sum := office.Sum(b)
		at[sum], named = i, append(named, sum)
		view.Certificates = append(view.Certificates, certificateLine{b.Name, sum, b.Authority != "", b.Revoked, b.NotAfter, map[provision.ClaimState]int{}})
	}
	list, err := c.Office.Askers(ctx, view.It.ID, named)
	others := certificateLine{Claims: map[provision.ClaimState]int{}}
	totals = map[provision.ClaimState]int{}
	for _, a := range list {
		totals[a.State] += a.Claims
		if i, ok := at[a.Bootstrap]; ok && a.Bootstrap != "" {
			view.Certificates[i].Claims[a.State] += a.Claims
		} else {
			others.Claims[a.State] += a.Claims
		}
	}
	if len(others.Claims) > 0 { // issued by an authority, or taken out of the profile since
		view.Certificates = append(view.Certificates, others)
	}
	return totals, err
}

// States are a claim's, for the columns.
func (*certificateLine) States() []provision.ClaimState { return states }

// claim is one unit's.
func (c *Console) claim(v *visit) error {
	here, err := c.place(v)
	if err != nil {
		return err
	}
	claim, err := here.Claim(v.Context(), v.PathValue("profile"), v.PathValue("serial"))
	if err != nil {
		return err
	}
	view := &claimView{Profile: v.PathValue("profile"), It: claim, May: v.may(c.parent())}
	view.Open = slices.Contains([]provision.ClaimState{provision.Pending, provision.Approved, provision.Denied}, claim.State)
	if claim.Number != 0 {
		view.Device = pathOf(claim.Device)
	}
	if claim.Certificate != nil {
		view.Certificate = sumOf(claim.Certificate)
	}
	return v.show(http.StatusOK, "claim", claim.Unit.Serial, view)
}

// Number is the device's.
func (c *claimView) Number() string { return strconv.FormatUint(c.It.Number, 10) }

// entries is a page of a list.
func (c *Console) entries(v *visit) error {
	here, err := c.place(v)
	if err != nil {
		return err
	}
	profile, list, token := v.PathValue("profile"), v.PathValue("list"), v.URL.Query().Get("token")
	lines, next, err := here.Entries(v.Context(), profile, list, gateway.Page{Size: claimsOfPage, Token: token})
	if err != nil {
		return err
	}
	view := &entriesView{Profile: profile, List: list, Lines: lines, May: v.may(c.parent())}
	path := listOf(profile, list)
	if next != "" {
		view.Next = path + "?token=" + url.QueryEscape(next)
	}
	if token != "" {
		view.First = path
	}
	return v.show(http.StatusOK, "entries", profile, view)
}

// listOf is a list's page.
func listOf(profile, list string) string {
	return "/provisioning/" + url.PathEscape(profile) + "/lists/" + url.PathEscape(list)
}
