package googlesql

import (
	"strconv"
	"strings"
)

// expr reads an expression. From weak to strong: OR, AND, NOT, comparison, |, ^, &,
// shifts, + and -, * and / and ||, unary.
func (p *parser) expr() expr {
	defer p.enter()()
	return p.binary(0)
}

// levels are the binary operators, weakest first; between the second and the third
// stand NOT and the comparisons.
var levels = [][]string{{"OR"}, {"AND"}, nil, {"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "||"}}

func (p *parser) binary(level int) expr {
	switch {
	case level == 2:
		return p.not()
	case level == len(levels):
		return p.unary()
	}
	x := p.binary(level + 1)
	for {
		t := p.peek()
		op := ""
		for _, o := range levels[level] {
			if p.accept(o) {
				op = o
			}
		}
		if op == "" {
			return x
		}
		x = &binary{op, x, p.binary(level + 1), t.at}
	}
}

func (p *parser) not() expr {
	if p.accept("NOT") {
		defer p.enter()()
		return &unary{"NOT", p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expr {
	x := p.binary(3)
	for {
		t := p.peek()
		not := p.accept("NOT")
		switch {
		case p.accept("IN"):
			x = p.in(x, not, t.at)
		case p.accept("BETWEEN"):
			low := p.binary(3)
			p.expect("AND")
			x = &between{x, low, p.binary(3), not, t.at}
		case p.accept("LIKE"):
			x = &binary{"LIKE", x, p.binary(3), t.at}
			if not {
				x = &unary{"NOT", x}
			}
		case not:
			p.unexpected("IN, BETWEEN or LIKE")
		case p.accept("IS"):
			what := ""
			if p.accept("NOT") {
				what = "NOT "
			}
			w := strings.ToUpper(p.next().text)
			if w != "NULL" && w != "TRUE" && w != "FALSE" {
				p.fail(t.at, "IS is served for NULL, TRUE and FALSE only")
			}
			x = &is{x, what + w}
		case t.kind == symbol && (t.text == "=" || t.text == "<" || t.text == ">" || t.text == "<=" || t.text == ">=" || t.text == "<>" || t.text == "!="):
			p.next()
			x = &binary{t.text, x, p.binary(3), t.at}
		default:
			return x
		}
	}
}

func (p *parser) in(x expr, not bool, at int) expr {
	n := &in{x: x, not: not, at: at}
	if p.accept("UNNEST") {
		p.expect("(")
		n.unnest = p.expr()
		p.expect(")")
		return n
	}
	p.expect("(")
	if p.isWord("SELECT") || p.isWord("WITH") {
		n.query = p.query()
	} else {
		n.list = list(p, p.expr)
	}
	p.expect(")")
	return n
}

func (p *parser) unary() expr {
	for _, op := range []string{"-", "+", "~"} {
		if p.accept(op) {
			defer p.enter()()
			return &unary{op, p.unary()}
		}
	}
	x := p.primary()
	if t := p.peek(); t.text == "[" && t.kind == symbol {
		p.fail(t.at, "arrays are not served by the local BigQuery")
	}
	return x
}

func (p *parser) primary() expr {
	t := p.peek()
	switch t.kind {
	case number:
		p.next()
		if _, err := strconv.ParseInt(t.text, 10, 64); err == nil {
			return &literal{typ: Int64, sql: t.text}
		}
		if n, err := strconv.ParseInt(t.text, 0, 64); err == nil && strings.ContainsAny(t.text, "xX") {
			return &literal{typ: Int64, sql: strconv.FormatInt(n, 10)}
		}
		if _, err := strconv.ParseFloat(t.text, 64); err != nil || !strings.ContainsAny(t.text, ".eE") {
			p.fail(t.at, "Invalid number %.50q", t.text)
		}
		return &literal{typ: Float64, sql: t.text}
	case text:
		p.next()
		return &literal{String, quoteString(t.text), t.text}
	case blob:
		p.next()
		return &literal{typ: Bytes, sql: quoteBytes(t.text)}
	case argument:
		p.next()
		if t.text != "" {
			return &parameter{name: t.text, at: t.at}
		}
		p.marks++
		return &parameter{index: p.marks - 1, at: t.at}
	case symbol:
		if p.accept("(") {
			return p.parenthesis()
		}
	case word:
		if x := p.keyword(); x != nil {
			return x
		}
	}
	if !p.isName() {
		p.unexpected("an expression")
	}
	return p.path()
}

func (p *parser) parenthesis() expr {
	var x expr
	if p.isWord("SELECT") || p.isWord("WITH") {
		x = &scalar{query: p.query()}
	} else {
		x = p.expr()
	}
	if p.peek().text == "," {
		p.fail(p.peek().at, "STRUCT values are not served by the local BigQuery")
	}
	p.expect(")")
	return x
}

// path reads a.b.c, or a function's call.
func (p *parser) path() expr {
	t := p.next()
	path := []string{t.text}
	for p.accept(".") {
		if k := p.peek().kind; k != word && k != quoted {
			p.unexpected("a name")
		}
		path = append(path, p.next().text)
	}
	if p.peek().text == "(" && p.peek().kind == symbol {
		return p.call(strings.ToUpper(strings.Join(path, ".")), t.at)
	}
	return &column{path, t.at}
}
