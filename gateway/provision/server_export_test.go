package provision

// Path is what the table of routes says of one.
type Path struct {
	Method, Path string
	Policy       string // anyone, bootstrap, device; "": none
	Reads        bool   // a body
}

// Paths are all that is served.
func Paths() (all []Path) {
	names := map[policy]string{anyones: "anyone", bootstraps: "bootstrap", devices: "device"}
	for _, one := range routes {
		all = append(all, Path{one.method, one.path, names[one.policy], one.body != ""})
	}
	return all
}
