// Package crd holds the catalogue of wrong objects: what people get wrong, and what they are told.
//
// Every file of catalogue/ is one case: a comment that says what is wrong and what the reader must be told, then the
// expectation, then YAML documents, of which the last one is the wrong one. The expectation is either
//
//	# expect: refused "text" "more text"
//	# server-side: "text"
//
// for what the API server refuses, with these texts in its message (kubectl apply --server-side has a type checker with
// words of its own: server-side replaces the texts there), or
//
//	# expect: condition <Type> <Reason> "text" on <Kind>/<name>
//
// for what only a controller can judge: the API server takes it, and then the condition holds: Stalled and Reconciling with
// status True, any other type with status False, and the texts in its message. Without "on" it is the last document that
// is meant. There may be several such lines, and one that lists what must not be told to anybody:
//
//	# never: "text"
//
// Condition cases stand in the world of [World] and do not disturb each other: all of them can be applied to one namespace
// at once, the world first.
package crd

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed catalogue/*.yaml world.yaml
var files embed.FS

// Case is one file of the catalogue.
type Case struct {
	// Name is the file's name without its ending.
	Name string
	// About says what is wrong, and what the reader must be told.
	About string
	// Documents are YAML texts as somebody would write them; the last one is wrong. Those before it are right.
	Documents [][]byte
	// Refused is what the API server says; nil if it takes the object.
	Refused *Refusal
	// Conditions are what a controller says of what the API server takes.
	Conditions []Condition
	// Never are personal data and secrets, which no status, event or log tells.
	Never []string
}

// Refusal is what a refusal's message says.
type Refusal struct {
	// Says are texts that kubectl apply shows.
	Says []string
	// ServerSideSays are texts that kubectl apply --server-side shows.
	ServerSideSays []string
}

// Condition is what a condition says.
type Condition struct {
	// Kind and Name are of the object that carries it.
	Kind, Name   string
	Type, Reason string
	// Says are texts in its message.
	Says []string
}

// Status is "True" for the conditions that mean trouble while they are there, else "False".
func (c Condition) Status() string {
	if c.Type == "Stalled" || c.Type == "Reconciling" {
		return "True"
	}
	return "False"
}

// Load reads the catalogue, ordered by name.
func Load() ([]Case, error) {
	names, err := fs.Glob(files, "catalogue/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	cases := make([]Case, 0, len(names))
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading the catalogue: %w", err)
		}
		c, err := parse(strings.TrimSuffix(path.Base(name), ".yaml"), text)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// World is the YAML documents that condition cases take for granted.
func World() ([][]byte, error) {
	text, err := files.ReadFile("world.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the world: %w", err)
	}
	return documents(text), nil
}

func documents(text []byte) [][]byte {
	var out [][]byte
	for _, d := range bytes.Split(text, []byte("\n---\n")) {
		out = append(out, append(bytes.TrimSpace(d), '\n'))
	}
	return out
}

func parse(name string, text []byte) (Case, error) {
	c := Case{Name: name, Documents: documents(text)}
	var about []string
	for line := range strings.Lines(string(text)) {
		comment, is := strings.CutPrefix(line, "#")
		if !is {
			break
		}
		comment = strings.TrimSpace(comment)
		key, value, _ := strings.Cut(comment, ": ")
		var err error
		switch key {
		case "expect":
			err = c.expect(value)
		case "server-side":
			err = c.serverSide(value)
		case "never":
			c.Never, _, err = texts(value)
		default:
			about = append(about, comment)
		}
		if err != nil {
			return c, fmt.Errorf("%q: %w", comment, err)
		}
	}
	c.About = strings.Join(about, "\n")
	if (c.Refused == nil) == (len(c.Conditions) == 0) || len(about) < 2 {
		return c, fmt.Errorf("the header needs two lines of words, and either one refusal or conditions")
	}
	return c, nil
}

func (c *Case) expect(value string) error {
	verb, rest, _ := strings.Cut(value, " ")
	switch verb {
	case "refused":
		says, rest, err := texts(rest)
		if err != nil || rest != "" || len(says) == 0 || c.Refused != nil {
			return fmt.Errorf(`write once: expect: refused "text"`)
		}
		c.Refused = &Refusal{Says: says, ServerSideSays: says}
		return nil
	case "condition":
		words := strings.SplitN(rest, " ", 3)
		if len(words) < 2 {
			return fmt.Errorf("a condition needs a type and a reason")
		}
		condition := Condition{Type: words[0], Reason: words[1]}
		if len(words) < 3 {
			words = append(words, "")
		}
		var err error
		if condition.Says, rest, err = texts(words[2]); err != nil {
			return err
		}
		if condition.Kind, condition.Name, err = c.target(rest); err != nil {
			return err
		}
		c.Conditions = append(c.Conditions, condition)
		return nil
	}
	return fmt.Errorf("expect is either refused or condition")
}

func (c *Case) serverSide(value string) error {
	says, rest, err := texts(value)
	if err != nil || rest != "" || len(says) == 0 || c.Refused == nil {
		return fmt.Errorf(`write after the refusal: server-side: "text"`)
	}
	c.Refused.ServerSideSays = says
	return nil
}

// target reads "on Kind/name"; without it the last document is meant.
func (c *Case) target(on string) (kind, name string, err error) {
	if on != "" {
		kind, name, ok := strings.Cut(strings.TrimPrefix(on, "on "), "/")
		if !ok || !strings.HasPrefix(on, "on ") {
			return "", "", fmt.Errorf("%q is not: on Kind/name", on)
		}
		return kind, name, nil
	}
	var o struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(c.Documents[len(c.Documents)-1], &o); err != nil {
		return "", "", fmt.Errorf("reading the last document: %w", err)
	}
	return o.Kind, o.Metadata.Name, nil
}

// texts reads quoted texts and returns what comes after them.
func texts(s string) (out []string, rest string, err error) {
	for s = strings.TrimSpace(s); strings.HasPrefix(s, `"`); s = strings.TrimSpace(s) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, "", fmt.Errorf("reading %s: %w", s, err)
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, "", fmt.Errorf("reading %s: %w", quoted, err)
		}
		out, s = append(out, text), s[len(quoted):]
	}
	return out, s, nil
}
