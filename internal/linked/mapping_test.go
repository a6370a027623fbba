package linked

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

func sample() Person {
	return Person{
		Number: "E1001", Name: "张伟", Email: "zhang.wei@example.com", Mobile: "+86-13800001234",
		Title: "高级工程师", Workplace: "上海 3F", HireDate: "2024-03-01",
		Departments:       []Place{{Name: "rd", DisplayName: "研发", Code: "100"}, {Name: "rd-platform", DisplayName: "平台"}},
		PrimaryDepartment: Place{Name: "rd-platform", DisplayName: "平台"},
		Manager:           &Colleague{Number: "E1", Name: "王芳", Email: "wang.fang@example.com"},
		Attributes:        map[string]string{"desk": "3F-12", "工位": "A7"},
		Labels:            map[string]string{"team": "core"},
	}
}

func TestWhatAnExpressionMakes(t *testing.T) {
	for _, c := range []struct {
		expression string
		want       []string
	}{
		{`employee.name`, []string{"张伟"}},
		{`employee.number + "@corp.example"`, []string{"E1001@corp.example"}},
		{`employee.email.split("@")[0].lowerAscii()`, []string{"zhang.wei"}},
		{`employee.mobile.replace("-", "")`, []string{"+8613800001234"}},
		{`employee.mobile.replace("0", "o", 2)`, []string{"+86-138oo001234"}},
		{`employee.departments.map(d, d.displayName)`, []string{"研发", "平台"}},
		{`employee.departments.map(d, d.displayName).join("/")`, []string{"研发/平台"}},
		{`employee.departments.map(d, d.name).join()`, []string{"rdrd-platform"}},
		{`employee.departments.filter(d, d.code != "").map(d, d.code) + [employee.primaryDepartment.name]`, []string{"100", "rd-platform"}},
		{`employee.departments.exists(d, d.name == "rd") ? "engineering" : "staff"`, []string{"engineering"}},
		{`has(employee.manager) ? employee.manager.email : ""`, []string{"wang.fang@example.com"}},
		{`"desk" in employee.attributes ? employee.attributes["desk"] : ""`, []string{"3F-12"}},
		{`employee.attributes["工位"]`, []string{"A7"}},
		{`has(employee.labels.team) ? employee.labels.team : ""`, []string{"core"}},
		{`string(timestamp(employee.hireDate + "T00:00:00Z").getFullYear())`, []string{"2024"}},
		{`employee.title == "" ? [] : [employee.title]`, []string{"高级工程师"}},
		{`""`, nil},
		{`["", "a", ""]`, []string{"a"}},
		{`employee.departments.filter(d, false).map(d, d.name).join(",")`, nil},
		{"employee.name +\n  employee.number", []string{"张伟E1001"}},
	} {
		t.Run(c.expression, func(t *testing.T) {
			e, err := Compile("x", c.expression)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.Values(sample())
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// Who has nothing but a number makes empty values, and no errors.
func TestWhatThePersonDoesNotHaveIsEmpty(t *testing.T) {
	for _, expression := range []string{
		`employee.name`, `employee.email`, `employee.mobile`, `employee.title`, `employee.workplace`, `employee.hireDate`,
		`employee.departments.map(d, d.name)`, `employee.primaryDepartment.displayName`, `employee.primaryDepartment.code`,
		`employee.manager.name`, `employee.manager.number`, `has(employee.manager) ? "yes" : ""`,
		`"desk" in employee.attributes ? employee.attributes["desk"] : ""`, `has(employee.labels.team) ? employee.labels.team : ""`,
	} {
		e, err := Compile("x", expression)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Values(Person{Number: "E1"}); err != nil || got != nil {
			t.Errorf("%s: got %q, %v; want nothing", expression, got, err)
		}
	}
}

// What an author wrote wrongly is said when it is declared: where, and what to write instead.
func TestAWrongExpressionIsRefusedWithWords(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{`employee.nmae`, `displayName: column 9: there is no field 'nmae': employee has number, name, email,`},
		{`emloyee.name`, `displayName: column 1: there is no 'emloyee': everything begins with employee`},
		{`employee.departments`, `displayName: it makes a value of the kind list(Place), and has to make a string or a list of strings: choose a field of each, e.g. employee.departments.map(d, d.name)`},
		{`employee.primaryDepartment`, `has to make a string or a list of strings: name one of its fields`},
		{`employee.attributes`, `ask for one key`},
		{`employee.number == "E1"`, `write what stands for each, e.g. (…) ? "yes" : "no"`},
		{`size(employee.departments)`, `write string(…)`},
		{`employee.name + size(employee.departments)`, `column 15: '+' does not go with (string, int); string(…) makes a string of a number`},
		{`employee.name +`, `this is not CEL (`},
		{`employee.name) `, `this is not CEL (`},
		{``, `this is not CEL (`},
		{"employee.name +\n  employee.nmae", `line 2, column 11: there is no field 'nmae'`},
		{`employee.name.matches("(")`, `invalid matches argument`},
		{`[]`, `write strings, or lists of strings`},
		{`["a", 1]`, `column 1: a list of no certain kind`},
		{`[["a"]][0]`, `column 1: a list of no certain kind, or of lists`},
		{`dyn(employee.name)`, `a value of no certain kind`},
		{`{"a": "b"}["a"]`, `objects and maps cannot be made here`},
		{`linked.Person{name: "x"}.name`, `objects and maps cannot be made here`},
		{`"%s".format([employee.name])`, `there is no 'format'`},
		{`"` + strings.Repeat("x", maxExpression) + `"`, `it is longer than 1024 characters`},
	} {
		t.Run(c.expression[:min(40, len(c.expression))], func(t *testing.T) {
			_, err := Compile("displayName", c.expression)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant …%s…", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "linked.") {
				t.Errorf("the words show a Go package: %v", err)
			}
		})
	}
}

func TestALoginIsOneString(t *testing.T) {
	if _, err := CompileOne("login", `employee.email`); err != nil {
		t.Error(err)
	}
	_, err := CompileOne("login", `employee.departments.map(d, d.name)`)
	if err == nil || !strings.Contains(err.Error(), `login: it makes a value of the kind list(string), and has to make a string`) {
		t.Errorf("got %v", err)
	}
}

// P12: what cannot be worked out for a person is refused without a word about the person.
func TestP12AFailureForOnePersonSaysNothingOfThem(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{`employee.attributes["shoe"]`, `column 20: the person does not have this attribute or label: ask first`},
		{`employee.labels[employee.name]`, `the person does not have this attribute or label`},
		{`employee.departments[7].name`, `it cannot be worked out for this person`},
		{`string(int(employee.name))`, `it cannot be worked out for this person`},
		{`string(timestamp(employee.email))`, `it cannot be worked out for this person`},
		{`string("x".matches(employee.name + "("))`, `it cannot be worked out for this person`},
		{`employee.name.substring(40)`, `it cannot be worked out for this person`},
	} {
		t.Run(c.expression, func(t *testing.T) {
			e, err := Compile("displayName", c.expression)
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.Values(sample())
			if directory.ClassOf(err) != directory.Invalid || !strings.Contains(err.Error(), "attribute displayName: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant …%s… (Invalid)", err, c.want)
			}
			p := sample()
			for _, personal := range []string{p.Name, p.Email, "zhang", p.Mobile} {
				if err != nil && strings.Contains(err.Error(), personal) {
					t.Errorf("the words hold %q: %v", personal, err)
				}
			}
		})
	}
}

// A short expression that wants much ends early, and before it has what it wants.
func TestAnExpressionIsBounded(t *testing.T) {
	for _, c := range []struct{ name, expression, want string }{
		{"loops in loops", `employee.departments.map(a, employee.departments.map(b, employee.departments.map(c, a.name + b.name + c.name).join()).join())`, `too many steps`},
		{"replace that squares", `[employee.name].map(x, x.replace("", x))` + strings.Repeat(`.map(x, x.replace("", x))`, 8), `a text of more than 4096 bytes`},
		{"replace with a count", `[employee.name].map(x, x.replace("", x, 9999999))` + strings.Repeat(`.map(x, x.replace("", x, 9999999))`, 8), `a text of more than 4096 bytes`},
		{"join that squares", `employee.departments.map(d, "a").join("…………………………………………")`, `a text of more than 4096 bytes`},
		{"sums that double", `["0123456789"].map(x, x + x)` + strings.Repeat(`.map(x, x + x)`, 40), `too many steps`},
		{"a long value", `["0123456789"].map(x, x + x)` + strings.Repeat(`.map(x, x + x)`, 9), `a value of more than 4096 bytes`},
		{"patterns that are long to read", `employee.departments.map(d, employee.departments.exists(e, "x".matches("(?i)\\pL{1000}")) ? "a" : "b")`, `too many steps`},
		{"many values", `employee.departments.map(d, d.name)`, `more than 128 values`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := Compile("x", c.expression)
			if err != nil {
				t.Fatal(err)
			}
			p := sample()
			for len(p.Departments) < 200 {
				p.Departments = append(p.Departments, Place{Name: "somewhere", DisplayName: "somewhere"})
			}
			got, err := e.Values(p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %d values, %v\nwant …%s…", len(got), err, c.want)
			}
		})
	}
	// What would double unseen is refused when it is declared.
	_, err := Compile("x", `[[""]].map(x, x + x)`+strings.Repeat(`.map(x, x + x)`, 40)+`[0]`)
	if err == nil || !strings.Contains(err.Error(), "lists") {
		t.Errorf("lists of lists: got %v", err)
	}
}

// An expression is used by many at once.
func TestAnExpressionIsSharedByMany(t *testing.T) {
	e, err := Compile("x", `employee.departments.map(d, d.name).join(",") + employee.number`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for range 8 {
		go func() {
			for range 50 {
				if v, err := e.Values(sample()); err != nil || v[0] != "rd,rd-platformE1001" {
					done <- "wrong"
					return
				}
			}
			done <- ""
		}()
	}
	for range 8 {
		if s := <-done; s != "" {
			t.Error(s)
		}
	}
}

// The page lists every field, and its examples are right.
func TestThePageOfTheMappingIsTrue(t *testing.T) {
	b, err := os.ReadFile("../../docs/linkedsystem-mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for prefix, names := range map[string]string{"employee.": fields[Person](), "employee.manager.": fields[Colleague](), "employee.primaryDepartment.": fields[Place]()} {
		for _, name := range strings.Split(names, ", ") {
			if !strings.Contains(page, "| `"+prefix+name+"` |") {
				t.Errorf("%s%s has no row", prefix, name)
			}
		}
	}
	examples := 0
	for line := range strings.Lines(page) {
		_, value, ok := strings.Cut(line, "value: ")
		if !ok {
			continue
		}
		examples++
		value = strings.Trim(strings.TrimSpace(value), "'")
		e, err := Compile("example", value)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if v, err := e.Values(sample()); err != nil || len(v) == 0 {
			t.Errorf("%s: %q, %v", value, v, err)
		}
	}
	if examples < 8 {
		t.Errorf("only %d examples", examples)
	}
}

func TestEveryFieldHasAName(t *testing.T) {
	for _, ty := range []reflect.Type{reflect.TypeFor[Person](), reflect.TypeFor[Place](), reflect.TypeFor[Colleague]()} {
		for i := range ty.NumField() {
			if ty.Field(i).Tag.Get("cel") == "" {
				t.Errorf("%s.%s has no name in expressions", ty.Name(), ty.Field(i).Name)
			}
		}
	}
}

// FuzzMapping: whatever an author writes and whoever the person is, it ends, soon, in bounded values
// or in an error without the person's data.
func FuzzMapping(f *testing.F) {
	for _, expression := range []string{
		`employee.departments.map(d, d.name).join(",")`, `employee.attributes[employee.name]`, `[employee.name].map(x, x.replace("", x))`,
		`employee.name.matches(employee.title)`, `string(int(employee.number))`, `employee == employee ? "a" : "b"`,
		`employee.manager.name.charAt(3)`, `type(employee) == type(1) ? "" : "x"`, `employee.departments[0].name`,
		`strings.quote(employee.name)`, `employee.name.reverse().split("")`, `string(b"\xff")`, `employee.name.replace("", "x", -5)`,
	} {
		f.Add(expression, "张伟", "E1")
	}
	f.Fuzz(func(t *testing.T, expression, name, number string) {
		const secret = "SEKRET-7f3a"
		e, err := Compile("x", expression)
		if err != nil {
			if strings.Contains(err.Error(), "internal") {
				t.Error(err)
			}
			return
		}
		p := sample()
		p.Name, p.Number, p.Title = name[:min(len(name), 256)], number[:min(len(number), 64)], secret
		values, err := e.Values(p)
		if err != nil {
			if directory.ClassOf(err) != directory.Invalid || strings.Contains(err.Error(), secret) {
				t.Error(err)
			}
			return
		}
		if len(values) > maxValues {
			t.Errorf("%d values", len(values))
		}
		for _, v := range values {
			if v == "" || len(v) > maxText {
				t.Errorf("a value of %d bytes", len(v))
			}
		}
	})
}
