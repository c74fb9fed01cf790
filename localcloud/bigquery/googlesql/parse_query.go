package googlesql

import "strings"

// query reads [WITH …] SELECT … [set operations] [ORDER BY …] [LIMIT …].
func (p *parser) query() *query {
	defer p.enter()()
	q := &query{}
	if p.accept("WITH") {
		if p.isWord("RECURSIVE") {
			p.fail(p.peek().at, "WITH RECURSIVE is not served by the local BigQuery")
		}
		q.with = list(p, func() cte {
			name := p.name("a name")
			p.expect("AS")
			p.expect("(")
			body := p.query()
			p.expect(")")
			return cte{name, *body}
		})
	}
	q.body = p.setOperations()
	if p.accept("ORDER", "BY") {
		q.order = list(p, p.ordering)
	}
	if p.accept("LIMIT") {
		q.limit = p.expr()
		if p.accept("OFFSET") {
			q.skip = p.expr()
		}
	}
	return q
}

func (p *parser) setOperations() any {
	left := p.queryTerm()
	for {
		op := ""
		switch {
		case p.accept("UNION", "ALL"):
			op = "UNION ALL"
		case p.accept("UNION", "DISTINCT"):
			op = "UNION"
		case p.accept("EXCEPT", "DISTINCT"):
			op = "EXCEPT"
		case p.accept("INTERSECT", "DISTINCT"):
			op = "INTERSECT"
		default:
			return left
		}
		left = &setOperation{op, left, p.queryTerm()}
	}
}

func (p *parser) queryTerm() any {
	if p.accept("(") {
		q := p.query()
		p.expect(")")
		return q
	}
	p.expect("SELECT")
	s := &selection{distinct: p.accept("DISTINCT")}
	p.accept("ALL")
	for {
		s.items = append(s.items, p.item())
		if !p.accept(",") || p.isWord("FROM") { // a comma may stand at the end
			break
		}
	}
	if p.accept("FROM") {
		s.from = p.sources()
	}
	if p.accept("WHERE") {
		s.where = p.expr()
	}
	if p.accept("GROUP", "BY") {
		s.group = list(p, p.expr)
	}
	if p.accept("HAVING") {
		s.having = p.expr()
	}
	for _, w := range []string{"QUALIFY", "WINDOW"} {
		if p.isWord(w) {
			p.fail(p.peek().at, "%s is not served by the local BigQuery", w)
		}
	}
	return s
}

func (p *parser) item() item {
	it := item{at: p.peek().at}
	if p.accept("*") {
		it.except = p.except()
		return it
	}
	if p.isName() && p.tokens[1].text == "." && len(p.tokens) > 2 && p.tokens[2].kind == symbol && p.tokens[2].text == "*" {
		it.of = p.name("a name")
		p.expect(".")
		p.expect("*")
		it.except = p.except()
		return it
	}
	it.expr = p.expr()
	it.alias = p.alias()
	return it
}

// except reads EXCEPT (a, b) after a star.
func (p *parser) except() (names []string) {
	if p.isWord("REPLACE") {
		p.fail(p.peek().at, "SELECT * REPLACE is not served by the local BigQuery")
	}
	if !p.isWord("EXCEPT") || p.tokens[1].text != "(" {
		return nil
	}
	p.next()
	p.expect("(")
	names = list(p, func() string { return p.name("a column") })
	p.expect(")")
	return names
}

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
		kind := ""
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

func (p *parser) ordering() ordering {
	o := ordering{expr: p.expr()}
	if p.accept("DESC") {
		o.suffix = " DESC"
	} else {
		p.accept("ASC")
	}
	if p.accept("NULLS", "FIRST") {
		o.suffix += " NULLS FIRST"
	} else if p.accept("NULLS", "LAST") {
		o.suffix += " NULLS LAST"
	}
	return o
}
