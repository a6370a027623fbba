package linked

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
	"github.com/google/cel-go/interpreter"

	"rollcall.dev/rollcall/internal/directory"
)

// Person is an Employee as the expressions of an attribute mapping see it: the variable
// employee. What the Employee does not say is empty. docs/linkedsystem-mapping.md lists the fields.
type Person struct {
	Number    string `cel:"number"`
	Name      string `cel:"name"`
	Email     string `cel:"email"`
	Mobile    string `cel:"mobile"` // +<country>-<digits>
	Title     string `cel:"title"`
	Workplace string `cel:"workplace"`
	HireDate  string `cel:"hireDate"` // YYYY-MM-DD
	// Departments in the order of the declaration; PrimaryDepartment is one of them.
	Departments       []Place `cel:"departments"`
	PrimaryDepartment Place   `cel:"primaryDepartment"`
	// Manager is nil for whoever has none: has(employee.manager) is false, and its fields are empty.
	Manager *Colleague `cel:"manager"`
	// Attributes and Labels may be nil.
	Attributes map[string]string `cel:"attributes"`
	Labels     map[string]string `cel:"labels"`
}

// Place is a department.
type Place struct {
	Name        string `cel:"name"` // the Department object's
	DisplayName string `cel:"displayName"`
	Code        string `cel:"code"`
}

// Colleague is another person, as far as an expression may know.
type Colleague struct {
	Number string `cel:"number"`
	Name   string `cel:"name"`
	Email  string `cel:"email"`
}

// Bounds of an expression and of what it makes.
const (
	maxExpression = 1024  // characters
	maxCost       = 20000 // units of CEL: about one for each step, and one for ten characters that are read
	maxText       = 4096  // bytes of one value, and of what replace and join make on the way
	maxValues     = 128
)

// Expression makes the values of one attribute. It is safe for concurrent use.
type Expression struct {
	name    string
	checked *cel.Ast
	program cel.Program
}

// Compile checks an expression that makes a string or a list of strings. The error says
// where it is wrong and what to write; it holds nothing but the names and words of the expression.
// name is the attribute's, for errors.
func Compile(name, expression string) (*Expression, error) {
	return compile(name, expression, func(t *cel.Type) error {
		if t.IsExactType(cel.StringType) || t.IsExactType(cel.ListType(cel.StringType)) {
			return nil
		}
		return fmt.Errorf("it makes %s, and has to make a string or a list of strings: %s", words(t), advice(t))
	})
}

// CompileOne checks an expression that makes one string, such as a login.
func CompileOne(name, expression string) (*Expression, error) {
	return compile(name, expression, func(t *cel.Type) error {
		if t.IsExactType(cel.StringType) {
			return nil
		}
		return fmt.Errorf("it makes %s, and has to make a string: %s", words(t), advice(t))
	})
}

func compile(name, expression string, result func(*cel.Type) error) (*Expression, error) {
	env, err := language()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, fmt.Errorf("%s: %w", name, firstOf(issues))
	}
	tree := checked.NativeRep()
	if err := outOfBounds(tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := result(checked.OutputType()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("%s: the expression cannot be run: %w", name, err)
	}
	return &Expression{name: name, checked: checked, program: program}, nil
}

// Values are what the expression makes of a person, without empty strings; none takes the
// attribute away. The error is of class Invalid and says nothing of the person.
func (e *Expression) Values(p Person) ([]string, error) {
	made, _, err := e.program.Eval(map[string]any{"employee": p})
	if err != nil {
		return nil, e.invalid(explain(err, e.checked.NativeRep()))
	}
	var values []string
	add := func(v ref.Val) error {
		s, ok := v.(types.String)
		switch {
		case !ok:
			return errors.New("it made something that is not a string")
		case len(s) > maxText:
			return fmt.Errorf("it made a value of more than %d bytes", maxText)
		case s != "":
			values = append(values, string(s))
		}
		return nil
	}
	list, ok := made.(traits.Lister)
	if !ok {
		err = add(made)
	} else if size, _ := list.Size().(types.Int); size > maxValues {
		err = fmt.Errorf("it made more than %d values", maxValues)
	} else {
		for i := types.Int(0); i < size && err == nil; i++ {
			err = add(list.Get(i))
		}
	}
	if err != nil {
		return nil, e.invalid(err.Error())
	}
	return values, nil
}

func (e *Expression) invalid(message string) error {
	return &directory.Error{Class: directory.Invalid, Operation: "attribute " + e.name, Message: message}
}

// language is CEL over an employee, with the strings extension. Two of its functions, with which
// a short expression could fill the memory in one step, are bounded, and one is left out: costs are counted after a step.
var language = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[Person](), ext.ParseStructTags(true)),
		cel.Variable("employee", cel.ObjectType("linked.Person")),
		ext.Strings(ext.StringsVersion(5)),
		cel.Function("replace",
			cel.MemberOverload("string_replace_string_string", []*cel.Type{cel.StringType, cel.StringType, cel.StringType},
				cel.StringType, cel.FunctionBinding(replace)),
			cel.MemberOverload("string_replace_string_string_int", []*cel.Type{cel.StringType, cel.StringType, cel.StringType, cel.IntType},
				cel.StringType, cel.FunctionBinding(replace))),
		cel.Function("join",
			cel.MemberOverload("list_join", []*cel.Type{cel.ListType(cel.StringType)}, cel.StringType,
				cel.UnaryBinding(func(list ref.Val) ref.Val { return join(list, types.String("")) })),
			cel.MemberOverload("list_join_string", []*cel.Type{cel.ListType(cel.StringType), cel.StringType}, cel.StringType,
				cel.BinaryBinding(join))),
		cel.Function("format", cel.DisableDeclaration(true),
			cel.MemberOverload("string_format", []*cel.Type{cel.StringType, cel.ListType(cel.DynType)}, cel.StringType)),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
		cel.ParserExpressionSizeLimit(maxExpression),
	)
})

var errTooLong = fmt.Errorf("it makes a text of more than %d bytes on the way", maxText)

func replace(args ...ref.Val) ref.Val {
	text, old, by := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	most := -1
	if len(args) == 4 {
		most = int(args[3].(types.Int))
	}
	count := strings.Count(text, old)
	if most >= 0 {
		count = min(count, most)
	}
	if len(text)+count*(len(by)-len(old)) > maxText {
		return types.WrapErr(errTooLong)
	}
	return types.String(strings.Replace(text, old, by, most))
}

func join(list, by ref.Val) ref.Val {
	var text strings.Builder
	separator := string(by.(types.String))
	for it := list.(traits.Lister).Iterator(); it.HasNext() == types.True; {
		s, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("no such overload")
		}
		if text.Len()+len(separator)+len(s) > maxText {
			return types.WrapErr(errTooLong)
		}
		text.WriteString(string(s) + separator)
	}
	return types.String(strings.TrimSuffix(text.String(), separator))
}

// outOfBounds refuses what grows faster than an expression is long: lists of lists, which
// double with every few characters and are compared before that is counted, and whatever may hide one.
func outOfBounds(tree *ast.AST) error {
	var (
		at   int64
		why  string
		note = func(id int64, what string) {
			if why == "" || position(tree, id) < position(tree, at) {
				at, why = id, what
			}
		}
	)
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.StructKind || e.Kind() == ast.MapKind {
			note(e.ID(), "objects and maps cannot be made here: write a string or a list of strings")
		}
	}))
	for id, t := range tree.TypeMap() {
		if !simple(t) {
			note(id, words(t)+" is not for mappings: write strings, or lists of strings")
		}
	}
	if why == "" {
		return nil
	}
	return located(tree.SourceInfo().GetStartLocation(at), why)
}

// simple values, and lists and maps of them.
func simple(t *types.Type) bool {
	switch t.Kind() {
	case types.ListKind, types.MapKind:
		for _, p := range t.Parameters() {
			if !scalar(p) {
				return false
			}
		}
		return true
	}
	return scalar(t)
}

func scalar(t *types.Type) bool {
	switch t.Kind() {
	case types.BoolKind, types.BytesKind, types.DoubleKind, types.DurationKind, types.IntKind, types.NullTypeKind,
		types.StringKind, types.StructKind, types.TimestampKind, types.TypeKind, types.UintKind:
		return true
	}
	return false
}

func position(tree *ast.AST, id int64) int32 {
	span, _ := tree.SourceInfo().GetOffsetRange(id)
	return span.Start
}

// words for a type.
func words(t *cel.Type) string {
	name := strings.ReplaceAll(cel.FormatCELType(t), "linked.", "")
	switch {
	case t.Kind() == types.DynKind:
		return "a value of no certain kind"
	case t.Kind() == types.ListKind && !simple(t):
		return "a list of no certain kind, or of lists (" + name + ")"
	}
	return "a value of the kind " + name
}

// advice is how to make a string of a type.
func advice(t *cel.Type) string {
	switch t.Kind() {
	case types.BoolKind:
		return `write what stands for each, e.g. (…) ? "yes" : "no"`
	case types.IntKind, types.UintKind, types.DoubleKind, types.TimestampKind, types.DurationKind, types.BytesKind:
		return "write string(…)"
	case types.StructKind:
		return "name one of its fields, e.g. employee.name or employee.primaryDepartment.displayName"
	case types.ListKind:
		return "choose a field of each, e.g. employee.departments.map(d, d.name), and for one string add .join(\",\")"
	case types.MapKind:
		return `ask for one key, e.g. "desk" in employee.attributes ? employee.attributes["desk"] : ""`
	}
	return "e.g. employee.name"
}

// firstOf is the first error of a compilation, in words for the author.
func firstOf(issues *cel.Issues) error {
	all := issues.Errors()
	if len(all) == 0 {
		return errors.New("the expression is wrong")
	}
	text := all[0].Message
	for _, p := range phrases {
		if p.of.MatchString(text) {
			text = p.of.ReplaceAllString(text, p.words)
			break
		}
	}
	return located(all[0].Location, strings.ReplaceAll(text, "linked.", ""))
}

// phrases say what to write where CEL says what it did not find.
var phrases = []struct {
	of    *regexp.Regexp
	words string
}{
	{regexp.MustCompile(`(?s)^undeclared reference to '(.*)' \(in container.*`),
		`there is no '$1': everything begins with employee, e.g. employee.name, and text stands in quotes`},
	{regexp.MustCompile(`(?s)^undefined field '(.*)'.*`),
		`there is no field '$1': employee has ` + fields[Person]() + `; a department has ` + fields[Place]() + `; manager has ` + fields[Colleague]()},
	{regexp.MustCompile(`(?s)^found no matching overload for '_?(.*?)_?' applied to '(.*)'$`),
		`'$1' does not go with $2; string(…) makes a string of a number, and .join(",") one of a list`},
	{regexp.MustCompile(`(?s)^expression code point size exceeds limit.*`),
		fmt.Sprintf("it is longer than %d characters", maxExpression)},
	{regexp.MustCompile(`(?s)^Syntax error: (.*)$`),
		`this is not CEL ($1); write e.g. employee.name or "text" + employee.number`},
}

// fields are the names that expressions use for the fields of T.
func fields[T any]() string {
	t, names := reflect.TypeFor[T](), []string{}
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("cel"))
	}
	return strings.Join(names, ", ")
}

// located puts the place before the words. Columns count characters, from 1.
func located(at common.Location, text string) error {
	switch {
	case at.Line() < 1:
		return errors.New(text)
	case at.Line() == 1:
		return fmt.Errorf("column %d: %s", at.Column()+1, text)
	}
	return fmt.Errorf("line %d, column %d: %s", at.Line(), at.Column()+1, text)
}

// explain says why an evaluation failed. CEL's own words may quote the person's data.
func explain(err error, tree *ast.AST) string {
	why := "it cannot be worked out for this person: a list is shorter than an index, or a text is not what a function takes"
	cancelled, costly := errors.AsType[interpreter.EvalCancelledError](err)
	switch {
	case costly && cancelled.Cause == interpreter.CostLimitExceeded:
		return "it takes too many steps: make it shorter"
	case errors.Is(err, errTooLong):
		why = errTooLong.Error()
	case strings.HasPrefix(err.Error(), "no such key"):
		why = `the person does not have this attribute or label: ask first, e.g. "desk" in employee.attributes ? employee.attributes["desk"] : ""`
	}
	failed, ok := errors.AsType[*types.Err](err)
	if !ok || failed.NodeID() == 0 {
		return why
	}
	return located(tree.SourceInfo().GetStartLocation(failed.NodeID()), why).Error()
}
