// Command acme writes config/samples/acme: 极点科技, an invented company of 250 people in 30 departments, which the demo
// runs and which every test of the samples applies. It writes the same files every time:
//
//	go run ./hack/acme
package main

import (
	"bytes"
	"embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed templates/*.yaml
var templates embed.FS

func main() {
	out := flag.String("out", filepath.Join("config", "samples", "acme"), "folder to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// sample is what the templates see.
type sample struct {
	Departments []*department
	People      []*person
	Unit        *department // of a file of employees
	Files       []string
}

// run writes the sample to a folder, in place of what was generated there before.
func run(out string) error {
	texts, err := generate()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(out, "employees", "*.yaml"))
	if err != nil {
		return fmt.Errorf("writing the sample: %w", err)
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("writing the sample: %w", err)
		}
	}
	for name, text := range texts {
		file := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return fmt.Errorf("writing the sample: %w", err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil { //nolint:gosec // it is for everybody to read
			return fmt.Errorf("writing the sample: %w", err)
		}
	}
	return nil
}

// generate makes the files, by their paths in the folder.
func generate() (map[string][]byte, error) {
	parsed, err := template.New("").ParseFS(templates, "templates/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	texts := map[string][]byte{}
	render := func(name, from string, s sample) error {
		var b bytes.Buffer
		if err := parsed.ExecuteTemplate(&b, from, s); err != nil {
			return fmt.Errorf("making %s: %w", name, err)
		}
		texts[name] = append(bytes.TrimSpace(b.Bytes()), '\n')
		return nil
	}
	all := sample{People: hire(), Departments: company}
	all.Files = []string{"namespace.yaml", "credentials.yaml", "enterpriseaccounts.yaml", "linkedsystems.yaml", "employeenumberrules.yaml", "departments.yaml", "contacts.yaml"}
	for _, name := range all.Files {
		if err := render(name, name, all); err != nil {
			return nil, err
		}
	}
	for _, unit := range company {
		if unit.Parent != "" {
			continue
		}
		name := "employees/" + unit.Object + ".yaml"
		if err := render(name, "employees.yaml", sample{Unit: unit, People: peopleOf(unit, all.People)}); err != nil {
			return nil, err
		}
		all.Files = append(all.Files, name)
	}
	return texts, render("kustomization.yaml", "kustomization.yaml", all)
}

// peopleOf are the people whose primary department is the unit or lies below it.
func peopleOf(unit *department, people []*person) []*person {
	var of []*person
	for _, p := range people {
		top := p.department
		for top.Parent != "" {
			top = byName(top.Parent)
		}
		if top == unit {
			of = append(of, p)
		}
	}
	return of
}

func byName(object string) *department {
	for _, d := range company {
		if d.Object == object {
			return d
		}
	}
	panic("there is no department " + object)
}

// Path is where a department stands in the company, for a reader.
func (p *person) Path() string {
	names := []string{p.department.Name}
	for d := p.department; d.Parent != ""; {
		d = byName(d.Parent)
		names = append([]string{d.Name}, names...)
	}
	return strings.Join(names, " / ")
}
