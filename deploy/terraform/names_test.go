package terraform_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// What the other deployments name in my-project is what is made here, and a program
// acts under the account that was made for it.
func TestOtherDeploymentsNameWhatIsMadeHere(t *testing.T) {
	given := map[string]cty.Value{"project": cty.StringVal("my-project"), "region": cty.StringVal("us-central1")}
	p := mustEvaluate(t, ".", given)
	made := map[string]bool{}
	for _, i := range p.instances {
		switch i.typ {
		case "google_pubsub_topic":
			made["projects/my-project/topics/"+i.text("name")] = true
		case "google_pubsub_subscription":
			made["projects/my-project/subscriptions/"+i.text("name")] = true
		case "google_bigquery_table":
			made["my-project."+i.text("dataset_id")+"."+i.text("table_id")] = true
		case "google_service_account":
			made[i.text("account_id")+"@my-project.iam.gserviceaccount.com"] = true
		case "google_artifact_registry_repository":
			made[i.text("location")+"-docker.pkg.dev/my-project/"+i.text("repository_id")] = true
		}
	}
	name := regexp.MustCompile(`projects/my-project/(topics|subscriptions)/[\w-]+|my-project\.\w+\.\w+|[\w-]+@my-project\.iam\.gserviceaccount\.com|[\w-]+-docker\.pkg\.dev/my-project/[\w-]+`)
	seen := 0
	for _, dir := range []string{"../k8s", "../cloudrun"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
				return err
			}
			src, err := os.ReadFile(path)
			for _, n := range name.FindAllString(string(src), -1) {
				if seen++; !made[n] {
					t.Errorf("%s names %s, which is not made", path, n)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 10 {
		t.Errorf("only %d names were found: do the files say my-project otherwise?", seen)
	}
}
