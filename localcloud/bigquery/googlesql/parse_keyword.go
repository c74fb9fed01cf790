package googlesql

import "strings"

// keyword reads an expression that begins with a word of its own, or returns nil.
func (p *parser) keyword() expr {
	t := p.peek()
	w := strings.ToUpper(t.text)
	following := p.tokens[1]
	switch w {
	case "NULL":
		p.next()
		return &literal{null, "NULL", ""}
	case "TRUE":
		p.next()
		return &literal{Bool, "1", ""}
	case "FALSE":
		p.next()
		return &literal{Bool, "0", ""}
	case "TIMESTAMP", "DATE", "JSON":
		if following.kind != text {
			return nil
		}
		p.next()
		p.next()
		sql := quoteString(following.text)
		if w != "JSON" {
			s, err := ReadTime(Type(w), following.text)
			if err != nil {
				p.fail(following.at, "Invalid %s literal %.100q", w, following.text)
			}
			sql = quoteString(s)
		}
		return &literal{typ: Type(w), sql: sql}
	case "CASE":
		p.next()
		return p.choice(t.at)
	case "CAST", "SAFE_CAST":
		p.next()
		p.expect("(")
		c := &cast{x: p.expr(), safe: w == "SAFE_CAST", at: t.at}
		p.expect("AS")
		typ := p.next()
		var ok bool
		if c.typ, ok = ParseType(typ.text); !ok {
			p.fail(typ.at, "type %.50q is not served by the local BigQuery", typ.text)
		}
		p.expect(")")
		return c
	case "EXISTS":
		p.next()
		p.expect("(")
		q := p.query()
		p.expect(")")
		return &scalar{q, true}
	case "INTERVAL":
		p.next()
		n := p.unary()
		unit := strings.ToUpper(p.next().text)
		if !units[unit] {
			p.fail(t.at, "INTERVAL of %.50q is not served by the local BigQuery", unit)
		}
		return &interval{n, unit}
	case "EXTRACT":
		p.next()
		p.expect("(")
		part := p.next()
		p.expect("FROM")
		c := &call{name: w, args: []expr{p.expr(), &column{[]string{part.text}, part.at}}, at: t.at}
		p.expect(")")
		return c
	case "CURRENT_TIMESTAMP", "CURRENT_DATE":
		if following.text != "(" {
			p.next()
			return &call{name: w, at: t.at}
		}
	case "IF", "LEFT", "RIGHT": // reserved, and functions all the same
		if following.text == "(" {
			p.next()
			return p.call(w, t.at)
		}
	case "ARRAY", "STRUCT":
		p.fail(t.at, "%s is not served by the local BigQuery", w)
	}
	return nil
}

func (p *parser) choice(at int) expr {
	c := &choice{at: at}
	if !p.isWord("WHEN") {
		c.of = p.expr()
	}
	for p.accept("WHEN") {
		c.when = append(c.when, p.expr())
		p.expect("THEN")
		c.then = append(c.then, p.expr())
	}
	if len(c.when) == 0 {
		p.unexpected("WHEN")
	}
	if p.accept("ELSE") {
		c.other = p.expr()
	}
	p.expect("END")
	return c
}

// call reads the arguments of a function, and OVER.
func (p *parser) call(name string, at int) expr {
	c := &call{name: name, at: at}
	p.expect("(")
	switch {
	case p.accept("*"):
		c.star = true
	case p.peek().text == ")" && p.peek().kind == symbol:
	default:
		c.distinct = p.accept("DISTINCT")
		c.args = list(p, p.expr)
	}
	for _, w := range []string{"ORDER", "LIMIT", "IGNORE", "RESPECT", "HAVING"} {
		if p.isWord(w) {
			p.fail(p.peek().at, "%s in the arguments of %s is not served by the local BigQuery", w, name)
		}
	}
	p.expect(")")
	if p.accept("OVER") {
		p.expect("(")
		c.over = p.window()
		p.expect(")")
	}
	return c
}

func (p *parser) window() *window {
	w := &window{}
	if p.accept("PARTITION", "BY") {
		w.partition = list(p, p.expr)
	}
	if p.accept("ORDER", "BY") {
		w.order = list(p, p.ordering)
	}
	for _, unit := range []string{"ROWS", "RANGE"} {
		if !p.accept(unit) {
			continue
		}
		if p.accept("BETWEEN") {
			low := p.bound()
			p.expect("AND")
			w.frame = " " + unit + " BETWEEN " + low + " AND " + p.bound()
		} else {
			w.frame = " " + unit + " " + p.bound()
		}
	}
	return w
}

func (p *parser) bound() string {
	n := "UNBOUNDED"
	switch {
	case p.accept("CURRENT", "ROW"):
		return "CURRENT ROW"
	case p.accept("UNBOUNDED"):
	case p.peek().kind == number:
		n = p.next().text
	default:
		p.unexpected("the bound of a window frame")
	}
	if p.accept("PRECEDING") {
		return n + " PRECEDING"
	}
	p.expect("FOLLOWING")
	return n + " FOLLOWING"
}
