package googlesql

import (
	"strings"
)

// sources reads what stands after FROM.
func (p *parser) sources() source {
	left := p.joins()
	for p.accept(",") {
		left = &join{kind: "CROSS JOIN", left: left, right: p.joins()}
	}
	return left
}

func (p *parser) joins() source {
	left := p.source()
	for {
		var kind string
		switch {
		case p.accept("JOIN"), p.accept("INNER", "JOIN"):
			kind = "JOIN"
		case p.accept("CROSS", "JOIN"):
			left = &join{kind: "CROSS JOIN", left: left, right: p.source()}
			continue
		case p.accept("LEFT", "JOIN"), p.accept("LEFT", "OUTER", "JOIN"):
			kind = "LEFT JOIN"
		case p.accept("RIGHT", "JOIN"), p.accept("RIGHT", "OUTER", "JOIN"):
			kind = "RIGHT JOIN"
		case p.accept("FULL", "JOIN"), p.accept("FULL", "OUTER", "JOIN"):
			kind = "FULL JOIN"
		default:
			return left
		}
		j := &join{kind: kind, left: left, right: p.source()}
		switch {
		case p.accept("ON"):
			j.on = p.expr()
		case p.accept("USING"):
			p.expect("(")
			j.using = list(p, func() string { return p.name("a column") })
			p.expect(")")
		default:
			p.unexpected("ON or USING")
		}
		left = j
	}
}

func (p *parser) source() source {
	defer p.enter()()
	if p.accept("(") {
		if !p.isWord("SELECT") && !p.isWord("WITH") && p.peek().text != "(" {
			s := p.joins()
			p.expect(")")
			return s
		}
		q := p.query()
		p.expect(")")
		return &derived{q, p.alias()}
	}
	t := p.peek()
	path := p.tablePath()
	if p.peek().text == "(" && p.peek().kind == symbol {
		p.fail(t.at, "table function %.100q is not served by the local BigQuery", strings.Join(path, "."))
	}
	return &tablePath{path, p.alias(), t.at}
}

// tablePath reads p.d.t, d.t or t; backquotes may hold dots, a bare project dashes.
func (p *parser) tablePath() []string {
	if !p.isName() {
		p.unexpected("a table")
	}
	var path []string
	for {
		t := p.next()
		if t.kind != quoted && t.kind != word && t.kind != number {
			p.fail(t.at, "%.100q is no part of a table's name", t.text)
		}
		name := t.text
		for t.kind == word && p.peek().text == "-" && p.peek().glued && p.tokens[1].glued {
			p.next()
			name += "-" + p.next().text
		}
		if t.kind == quoted {
			path = append(path, strings.Split(name, ".")...)
		} else {
			path = append(path, name)
		}
		if !p.accept(".") {
			return path
		}
	}
}
