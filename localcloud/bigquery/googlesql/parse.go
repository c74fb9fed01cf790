package googlesql

import (
	"fmt"
	"strings"
)

// maxDepth bounds how deep a query nests.
const maxDepth = 100

// parser is a recursive descent over tokens. A failure panics with a syntaxError, which
// parse catches: each rule would otherwise be half error checks.
type parser struct {
	sql    string
	tokens []token
	depth  int
	marks  int // positional parameters so far
}

type syntaxError string

// parse reads one query.
func parse(sql string) (q *query, err error) {
	tokens, err := tokenize(sql)
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			err = wrong("Syntax error: %s", string(e))
		}
	}()
	p := &parser{sql: sql, tokens: tokens}
	if t := p.peek(); t.kind == word && !p.isWord("SELECT") && !p.isWord("WITH") {
		return nil, wrong("%s is not served by the local BigQuery, only SELECT is", strings.ToUpper(t.text))
	}
	q = p.query()
	p.accept(";")
	if p.peek().kind != end {
		p.unexpected("end of input")
	}
	return q, nil
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) fail(at int, format string, args ...any) {
	panic(syntaxError(fmt.Sprintf(format, args...) + " at " + position(p.sql, at)))
}

func (p *parser) unexpected(want string) {
	t := p.peek()
	what := fmt.Sprintf("%q", t.text)
	switch t.kind {
	case end:
		what = "end of input"
	case text, blob:
		what = "string literal"
	}
	p.fail(t.at, "Expected %s but got %.100s", want, what)
}

// enter bounds the recursion; its result leaves.
func (p *parser) enter() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek().at, "the query nests deeper than %d", maxDepth)
	}
	return func() { p.depth-- }
}

// isWord says whether the token is a keyword.
func (p *parser) isWord(w string) bool {
	return p.tokens[0].kind == word && strings.EqualFold(p.tokens[0].text, w)
}

// accept takes the words or symbols if they all come next.
func (p *parser) accept(what ...string) bool {
	for i, w := range what {
		if i >= len(p.tokens) || p.tokens[i].kind != word && p.tokens[i].kind != symbol || !strings.EqualFold(p.tokens[i].text, w) {
			return false
		}
	}
	p.tokens = p.tokens[len(what):]
	return true
}

func (p *parser) expect(what string) {
	if !p.accept(what) {
		p.unexpected(fmt.Sprintf("%q", what))
	}
}

// reserved are the words that cannot be a name without backquotes.
var reserved = wordSet(`ALL AND ANY ARRAY AS ASC ASSERT_ROWS_MODIFIED AT BETWEEN BY CASE CAST COLLATE CONTAINS CREATE CROSS CUBE
	CURRENT DEFAULT DEFINE DESC DISTINCT ELSE END ENUM ESCAPE EXCEPT EXCLUDE EXISTS EXTRACT FALSE FETCH FOLLOWING FOR FROM FULL GROUP
	GROUPING GROUPS HASH HAVING IF IGNORE IN INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LIMIT LOOKUP MERGE NATURAL NEW NO
	NOT NULL NULLS OF ON OR ORDER OUTER OVER PARTITION PRECEDING PROTO QUALIFY RANGE RECURSIVE RESPECT RIGHT ROLLUP ROWS SELECT SET
	SOME STRUCT TABLESAMPLE THEN TO TREAT TRUE UNBOUNDED UNION UNNEST USING WHEN WHERE WINDOW WITH WITHIN`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// isName says whether the token may be a name.
func (p *parser) isName() bool {
	t := p.peek()
	return t.kind == quoted || t.kind == word && !reserved[strings.ToUpper(t.text)]
}

func (p *parser) name(what string) string {
	if !p.isName() {
		p.unexpected(what)
	}
	t := p.next()
	if strings.ContainsRune(t.text, '.') {
		p.fail(t.at, "%s with a dot in it is not served", what)
	}
	return t.text
}

// alias reads [AS] name.
func (p *parser) alias() string {
	if p.accept("AS") || p.isName() {
		return p.name("an alias")
	}
	return ""
}

func list[T any](p *parser, one func() T) []T {
	out := []T{one()}
	for p.accept(",") {
		out = append(out, one())
	}
	return out
}
