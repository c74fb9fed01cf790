package googlesql

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
		var op string
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
