package terraform_test

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

var meta = []string{"for_each", "count", "depends_on", "provider", "lifecycle"}

// make evaluates a resource, once or as often as for_each or count say.
func (p *plan) make(name string, b *hclsyntax.Block) error {
	if a := b.Body.Attributes["for_each"]; a != nil {
		over, diags := a.Expr.Value(p.context(nil))
		if diags.HasErrors() {
			return diags
		}
		values := map[string]cty.Value{}
		for it := over.ElementIterator(); it.Next(); {
			key, value := it.Element()
			each := cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
			one, err := p.instance(fmt.Sprintf("%s[%q]", name, key.AsString()), b, map[string]cty.Value{"each": each})
			if err != nil {
				return err
			}
			values[key.AsString()] = one
		}
		p.made[name] = cty.ObjectVal(values)
		return nil
	}
	if a := b.Body.Attributes["count"]; a != nil {
		n, diags := a.Expr.Value(p.context(nil))
		if diags.HasErrors() {
			return diags
		}
		count, _ := n.AsBigFloat().Int64()
		values := []cty.Value{}
		for i := range count {
			one, err := p.instance(fmt.Sprintf("%s[%d]", name, i), b, nil)
			if err != nil {
				return err
			}
			values = append(values, one)
		}
		p.made[name] = cty.TupleVal(values)
		return nil
	}
	one, err := p.instance(name, b, nil)
	p.made[name] = one
	return err
}

func (p *plan) instance(address string, b *hclsyntax.Block, more map[string]cty.Value) (cty.Value, error) {
	said, err := say(b.Body, p.context(more))
	if err != nil {
		return cty.NilVal, err
	}
	p.instances = append(p.instances, instance{address, b.Labels[0], said})
	values := map[string]cty.Value{"id": cty.StringVal(address)}
	for k, v := range said.attributes {
		values[k] = v
	}
	for k, v := range computed(b.Labels[0], said.attributes) {
		values[k] = cty.StringVal(v)
	}
	return cty.ObjectVal(values), nil
}

// say evaluates a body; of its dynamic blocks those that there would be.
func say(b *hclsyntax.Body, ctx *hcl.EvalContext) (body, error) {
	said := body{map[string]cty.Value{}, map[string][]body{}}
	for name, a := range b.Attributes {
		if slices.Contains(meta, name) {
			continue
		}
		value, diags := a.Expr.Value(ctx)
		if diags.HasErrors() {
			return said, diags
		}
		said.attributes[name] = value
	}
	for _, inner := range b.Blocks {
		if inner.Type == "lifecycle" {
			continue
		}
		name, content, times := inner.Type, inner.Body, 1
		if name == "dynamic" {
			over, diags := content.Attributes["for_each"].Expr.Value(ctx)
			if diags.HasErrors() {
				return said, diags
			}
			name, content, times = inner.Labels[0], content.Blocks[0].Body, over.LengthInt()
		}
		for range times {
			one, err := say(content, ctx)
			if err != nil {
				return said, err
			}
			said.blocks[name] = append(said.blocks[name], one)
		}
	}
	return said, nil
}

// computed are attributes that Google answers with, in the form in which it does.
func computed(typ string, said map[string]cty.Value) map[string]string {
	text := func(name string) string {
		if v, ok := said[name]; ok && v.Type() == cty.String && !v.IsNull() {
			return v.AsString()
		}
		return ""
	}
	project := "projects/" + text("project")
	email := text("account_id") + "@" + text("project") + ".iam.gserviceaccount.com"
	switch typ {
	case "google_pubsub_topic":
		return map[string]string{"id": project + "/topics/" + text("name")}
	case "google_pubsub_subscription":
		return map[string]string{"id": project + "/subscriptions/" + text("name")}
	case "google_service_account":
		return map[string]string{"email": email, "member": "serviceAccount:" + email, "name": project + "/serviceAccounts/" + email}
	case "google_project_iam_custom_role":
		return map[string]string{"id": project + "/roles/" + text("role_id")}
	case "google_cloud_run_v2_job":
		return map[string]string{"id": project + "/locations/" + text("location") + "/jobs/" + text("name")}
	case "google_kms_key_ring":
		return map[string]string{"id": project + "/locations/" + text("location") + "/keyRings/" + text("name")}
	case "google_kms_crypto_key":
		return map[string]string{"id": text("key_ring") + "/cryptoKeys/" + text("name")}
	case "google_sql_database_instance":
		return map[string]string{"private_ip_address": "10.0.0.3"}
	}
	return nil
}
