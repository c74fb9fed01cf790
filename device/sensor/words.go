package sensor

import (
	"errors"
	"fmt"
	"strings"
)

// Words splits a command line as a shell would that has nothing but quotes: words
// stand between blanks, '…' and "…" keep what is between them. What would mean more
// to a shell (pipes, variables, patterns, backslashes) is refused and never passed on
// as something else than was meant: none is started.
func Words(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	quote := rune(0)
	for _, r := range line {
		if r != '\t' && (r < ' ' || r == 0x7f) {
			return nil, errors.New("the command has a control character: write it on one line")
		}
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == '\'':
			word.WriteRune(r)
		case quote == '"':
			if strings.ContainsRune("$`\\", r) {
				return nil, fmt.Errorf("%q between double quotes: no shell is started; use single quotes to keep it as it is", r)
			}
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case strings.ContainsRune("|&;<>()$`\\*?[]{}!", r), !inWord && strings.ContainsRune("~#", r):
			return nil, fmt.Errorf("%q in the command: no shell is started; put it between single quotes to keep it as it is, or write a script", r)
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("the command has an opening %c and no closing one", quote)
	case inWord:
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("the command is empty")
	}
	return words, nil
}
