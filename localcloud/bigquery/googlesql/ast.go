package googlesql

// query is a SELECT with what may stand around it.
type query struct {
	with  []cte
	body  any // *selection, *setOperation or *query
	order []ordering
	limit expr
	skip  expr
}

type cte struct {
	name string
	query
}

// setOperation is UNION ALL and its like.
type setOperation struct {
	op          string // in SQLite's words
	left, right any
}

type selection struct {
	distinct bool
	items    []item
	from     source // nil without FROM
	where    expr
	group    []expr
	having   expr
}

// item is one item of a select list; a star has no expr.
type item struct {
	expr
	alias  string
	of     string // t of t.*
	except []string
	at     int
}

type ordering struct {
	expr
	suffix string // DESC, NULLS LAST
}

// source is a *tablePath, *derived or *join.
type source any

type tablePath struct {
	path  []string
	alias string
	at    int
}

type derived struct {
	query *query
	alias string
}

type join struct {
	kind        string // JOIN, LEFT JOIN, …
	left, right source
	on          expr
	using       []string
}

// expr is one of the types below.
type expr any

type (
	column struct {
		path []string
		at   int
	}
	literal struct {
		typ Type
		sql string
		val string // of a string: what it says
	}
	parameter struct {
		name  string // "" is a positional one
		index int    // of a positional one, from 0
		at    int
	}
	unary struct {
		op string
		x  expr
	}
	binary struct {
		op   string
		x, y expr
		at   int
	}
	is struct {
		x    expr
		what string // NULL, NOT NULL, TRUE, …
	}
	in struct {
		x      expr
		not    bool
		list   []expr
		query  *query
		unnest expr
		at     int
	}
	between struct {
		x, low, high expr
		not          bool
		at           int
	}
	choice struct { // CASE
		of    expr // nil: the conditions are BOOL
		when  []expr
		then  []expr
		other expr
		at    int
	}
	cast struct {
		x    expr
		typ  Type
		safe bool
		at   int
	}
	call struct {
		name     string // upper case
		args     []expr
		star     bool
		distinct bool
		over     *window
		at       int
	}
	window struct {
		partition []expr
		order     []ordering
		frame     string
	}
	interval struct {
		n    expr
		unit string
	}
	scalar struct { // a query in the place of a value, or EXISTS of it
		query  *query
		exists bool
	}
)
