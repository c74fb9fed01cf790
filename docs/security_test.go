package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// How a release is verified is said twice, in the same words, and they are about what
// the workflow does.
func TestReleasesAreVerifiedAsTheyAreSigned(t *testing.T) {
	policy, releasing := read(t, filepath.Join(root, "SECURITY.md")), page{"docs/releasing.md", read(t, "releasing.md")}
	workflow := read(t, filepath.Join(root, ".github/workflows/release.yml"))
	said := 0
	for _, block := range releasing.blocks("sh") {
		for line := range strings.Lines(block) {
			if !regexp.MustCompile(`^(cosign|gh|sha256sum) `).MatchString(line) {
				continue
			}
			if said++; !strings.Contains(policy, line) {
				t.Errorf("SECURITY.md lacks %s", line)
			}
		}
	}
	if said < 3 {
		t.Errorf("docs/releasing.md verifies by %d commands", said)
	}
	for _, done := range []string{
		"cosign sign-blob --yes --bundle dist/SHA256SUMS.sigstore.json dist/SHA256SUMS", "actions/attest-build-provenance@", "subject-checksums: dist/SHA256SUMS",
		"cosign sign --yes", "push-to-registry: true", `tags: ["v*"]`,
	} {
		if !strings.Contains(workflow, done) {
			t.Errorf("the workflow has no %s", done)
		}
	}
	for _, promise := range []string{"90 days", "Safe harbour", "placeholder", "the one before it for six months"} {
		if !strings.Contains(policy, promise) {
			t.Errorf("the policy has no %q", promise)
		}
	}
}
