package terraform_test

import (
	"errors"
	"os"
	"path"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those of Terraform that the module calls.
func functions() map[string]function.Function {
	return map[string]function.Function{
		"try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
		"join": stdlib.JoinFunc, "sort": stdlib.SortFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
		"setunion": stdlib.SetUnionFunc, "toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number),
		"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "trimsuffix": stdlib.TrimSuffixFunc,
		"format": stdlib.FormatFunc, "coalesce": stdlib.CoalesceFunc, "length": stdlib.LengthFunc,
		"dirname":  text(func(s string) (string, error) { return path.Dir(s), nil }),
		"basename": text(func(s string) (string, error) { return path.Base(s), nil }),
		"file": text(func(name string) (string, error) {
			src, err := os.ReadFile(name)
			return string(src), err
		}),
		"templatefile": templatefile, "one": one, "alltrue": alltrue,
	}
}

func text(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Type: cty.String}}, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			return cty.StringVal(s), err
		},
	})
}

var templatefile = function.New(&function.Spec{
	Params: []function.Parameter{{Type: cty.String}, {Type: cty.DynamicPseudoType}}, Type: function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		name := args[0].AsString()
		src, err := os.ReadFile(name)
		if err != nil {
			return cty.NilVal, err
		}
		expr, diags := hclsyntax.ParseTemplate(src, name, hcl.InitialPos)
		if diags.HasErrors() {
			return cty.NilVal, diags
		}
		value, diags := expr.Value(&hcl.EvalContext{Variables: args[1].AsValueMap()})
		if diags.HasErrors() {
			return cty.NilVal, diags
		}
		return convert.Convert(value, cty.String)
	},
})

// one is the only element, or null.
var one = function.New(&function.Spec{
	Params: []function.Parameter{{Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		for it := args[0].ElementIterator(); it.Next(); {
			_, v := it.Element()
			return v.Type(), nil
		}
		return cty.DynamicPseudoType, nil
	},
	Impl: func(args []cty.Value, typ cty.Type) (cty.Value, error) {
		switch args[0].LengthInt() {
		case 0:
			return cty.NullVal(typ), nil
		case 1:
			return args[0].AsValueSlice()[0], nil
		}
		return cty.NilVal, errors.New("there is more than one")
	},
})

var alltrue = function.New(&function.Spec{
	Params: []function.Parameter{{Type: cty.DynamicPseudoType}}, Type: function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		for it := args[0].ElementIterator(); it.Next(); {
			if _, v := it.Element(); v.False() {
				return cty.False, nil
			}
		}
		return cty.True, nil
	},
})
