package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	schemaFile = "../../../docs/schemas/webhook-v1.json"
	pageFile   = "../../../docs/webhook.md"
)

// strict is the published schema, in which every object with properties has no others: receivers take what is added
// later, the tests do not take what is not documented.
var strict = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	f, err := os.Open(schemaFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, err
	}
	root, _ := doc.(map[string]any)
	defs, _ := root["$defs"].(map[string]any)
	for _, name := range []string{"request", "receipt"} {
		closeObject(defs[name])
	}
	for _, path := range [][]string{{"request", "data"}, {"receipt", "error"}} {
		object, _ := defs[path[0]].(map[string]any)
		properties, _ := object["properties"].(map[string]any)
		closeObject(properties[path[1]])
	}
	c := jsonschema.NewCompiler()
	return c, c.AddResource("webhook.json", doc)
})

func closeObject(object any) {
	if m, ok := object.(map[string]any); ok {
		m["unevaluatedProperties"] = false
	}
}

func schemas(definition string) (*jsonschema.Schema, error) {
	c, err := strict()
	if err != nil {
		return nil, err
	}
	return c.Compile("webhook.json#/$defs/" + definition)
}

func page(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The examples of the page are what the schema says, and there is one of each.
func TestTheExamplesAreAsTheSchemaSays(t *testing.T) {
	requests, receipts := map[string]bool{}, 0
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(page(t), -1) {
		var example struct{ Type, Key string }
		if err := json.Unmarshal([]byte(m[1]), &example); err != nil {
			t.Fatalf("%v\n%s", err, m[1])
		}
		definition := "request"
		if example.Type == "" {
			definition, receipts = "receipt", receipts+1
			var r receipt
			if why := doubtful(&request{Key: example.Key}, &r, []byte(m[1])); why != "" {
				t.Errorf("%s\n%s", why, m[1])
			}
		}
		requests[example.Type] = true
		if err := valid(definition, []byte(m[1])); err != nil {
			t.Errorf("%v\n%s", err, m[1])
		}
	}
	for _, event := range []string{eventProvision, eventUpdate, eventDisable, eventLookup, eventCheck} {
		if !requests[event] {
			t.Errorf("%s has no example", event)
		}
	}
	if receipts < 5 {
		t.Errorf("only %d receipts", receipts)
	}
}

// The schema refuses what is not the protocol: else every body would pass.
func TestTheSchemaRefuses(t *testing.T) {
	for _, c := range []struct{ definition, body string }{
		{"request", `{"version":"v2","type":"account.disable","key":"k","data":{"accountID":"a"}}`},
		{"request", `{"version":"v1","type":"account.promote","key":"k","data":{"accountID":"a"}}`},
		{"request", `{"version":"v1","type":"account.disable","key":"k.1","data":{"accountID":"a"}}`},
		{"request", `{"version":"v1","type":"account.disable","data":{"accountID":"a"}}`},
		{"request", `{"version":"v1","type":"account.disable","key":"k","data":{}}`},
		{"request", `{"version":"v1","type":"account.disable","key":"k","data":{"accountID":"a","login":"x"}}`},
		{"request", `{"version":"v1","type":"account.provision","key":"k","data":{"number":"1"}}`},
		{"request", `{"version":"v1","type":"account.provision","key":"k","data":{"login":"x","attributes":{"a":null}}}`},
		{"request", `{"version":"v1","type":"account.update","key":"k","data":{"accountID":"a"}}`},
		{"request", `{"version":"v1","type":"account.lookup","key":"k","data":{"accountID":"a","login":"x"}}`},
		{"request", `{"version":"v1","type":"account.lookup","key":"k","data":{}}`},
		{"request", `{"version":"v1","type":"system.check","key":"k","data":{},"mobile":"1"}`},
		{"request", `{"version":"v1","type":"system.check","key":"k","data":{"mobile":"1"}}`},
		{"receipt", `{"accountID":"a","state":"Enabled"}`},
		{"receipt", `{"key":"k","accountID":"a"}`},
		{"receipt", `{"key":"k","state":"Enabled"}`},
		{"receipt", `{"key":"k","accountID":"a","state":"Gone"}`},
		{"receipt", `{"key":"k","accountID":"a","state":"Enabled","residuals":[{"kind":"Lin Xiao's car","count":1}]}`},
		{"receipt", `{"key":"k","error":{"code":"whatever"}}`},
		{"receipt", `{"key":"k","error":{"code":"notFound","message":"x"}}`},
		{"receipt", `{"key":"k","accounts":[{"accountID":"a"}]}`},
	} {
		if valid(c.definition, []byte(c.body)) == nil {
			t.Errorf("this %s passes: %s", c.definition, c.body)
		}
	}
}

// The tables of the page are those of the code, and the schema knows the same codes, events and kinds.
func TestThePageHasTheTables(t *testing.T) {
	text := page(t)
	var want []string
	for code, m := range codes {
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", code, m.class, m.words))
	}
	for status, m := range statuses {
		want = append(want, row(strconv.Itoa(status), m))
	}
	for hundred, m := range hundreds {
		want = append(want, row(fmt.Sprintf("other %dxx", hundred), m))
	}
	for _, r := range want {
		if !strings.Contains(text, r+"\n") {
			t.Errorf("docs/webhook.md lacks the row\n%s", r)
		}
	}
	if rows := regexp.MustCompile("(?m)^\\| (`[a-zA-Z]+`|[0-9]{3}|other .xx) \\| [A-Z][A-Za-z]+ \\|").FindAllString(text, -1); len(rows) != len(want) {
		t.Errorf("docs/webhook.md has %d rows, the code %d", len(rows), len(want))
	}
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs struct {
			Request struct {
				Properties struct{ Type struct{ Enum []string } }
			}
			Account struct {
				Properties struct {
					Residuals struct {
						Items struct {
							Properties struct{ Kind struct{ Enum []string } }
						}
					}
				}
			}
			Receipt struct {
				Properties struct {
					Error struct {
						Properties struct{ Code struct{ Enum []string } }
					}
				}
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	same(t, "codes", schema.Defs.Receipt.Properties.Error.Properties.Code.Enum, slices.Collect(maps.Keys(codes)))
	same(t, "kinds", schema.Defs.Account.Properties.Residuals.Items.Properties.Kind.Enum, append(slices.Collect(maps.Keys(kinds)), "Other"))
	same(t, "events", schema.Defs.Request.Properties.Type.Enum, []string{
		eventProvision, eventUpdate, eventDisable, eventEnable, eventUnlink, eventDelete, eventLookup, eventCheck})
}

func row(status string, m meaning) string {
	class := m.class
	if class == "" {
		class = "OutcomeUnknown"
	}
	return fmt.Sprintf("| %s | %s | %s |", status, class, m.words)
}

func same(t *testing.T, what string, schema, code []string) {
	t.Helper()
	slices.Sort(schema)
	slices.Sort(code)
	if !slices.Equal(schema, code) {
		t.Errorf("%s: the schema has %v, the code %v", what, schema, code)
	}
}
