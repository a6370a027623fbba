package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"
)

// declarations are the values of a file's constants and variables by name.
func declarations(t *testing.T, file string) map[string]ast.Expr {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(file)), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]ast.Expr{}
	for _, d := range parsed.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range group.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for i, name := range spec.Names {
				if i < len(spec.Values) {
					found[name.Name] = spec.Values[i]
				}
			}
		}
	}
	return found
}

// literal is the text of a string or number, or of a constant that is one.
func literal(e ast.Expr, names map[string]ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
		return e.Value, true
	case *ast.UnaryExpr:
		text, ok := literal(e.X, names)
		return e.Op.String() + text, ok
	case *ast.Ident:
		return literal(names[e.Name], names)
	}
	return "", false
}

// table reads a map literal: from keys to the selector that the value is, or that its field "class" has.
func table(t *testing.T, file, name string) map[string]string {
	t.Helper()
	names := declarations(t, file)
	rows, ok := names[name].(*ast.CompositeLit)
	if !ok {
		t.Fatalf("%s: there is no table %s", file, name)
	}
	found := map[string]string{}
	for _, e := range rows.Elts {
		row, ok := e.(*ast.KeyValueExpr)
		if !ok {
			t.Fatalf("%s: %s is no map", file, name)
		}
		key, ok := literal(row.Key, names)
		if selected, is := row.Key.(*ast.SelectorExpr); is {
			key, ok = selected.Sel.Name, true
		}
		value, also := selector(row.Value)
		if !ok || !also {
			t.Fatalf("%s: a row of %s cannot be read", file, name)
		}
		found[key] = value
	}
	return found
}

func selector(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name, true
	case *ast.CompositeLit:
		for _, field := range e.Elts {
			pair, ok := field.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			if name, ok := pair.Key.(*ast.Ident); ok && name.Name == "class" {
				return selector(pair.Value)
			}
		}
	}
	return "", false
}
