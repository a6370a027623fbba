package crd

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/manifests"
)

// A company as bad as an archive can have it becomes manifests that the API takes.
func TestManifestsOfABackupAreTaken(t *testing.T) {
	c := manifests.Company{Departments: []directory.Department{
		{ID: "1", Name: "公司"}, {ID: "7", Name: "研发部", Parent: "1", Order: 1 << 40}, {ID: "8", Name: "a:b", Parent: "1"}, {ID: "9", Name: "平台组", Parent: "7", Order: 3},
	}}
	odd := []string{"", " ", "x", "柳如烟", " 空", "A_1..-b@C", "\t", strings.Repeat("长", 200), "2024-02-30", "2024-03-01", "E@example.COM", "+86-13800000001", "+1-22"}
	for i := range 120 {
		pick := func(n int) string { return odd[(i*7+n*5)%len(odd)] }
		c.People = append(c.People, directory.Account{
			ID: fmt.Sprintf("u%d", i), State: []directory.State{directory.Active, directory.Frozen}[i%2], Type: directory.Enterprise,
			Profile: directory.Profile{
				Name: pick(1), Number: pick(2) + fmt.Sprint(i), Mobile: pick(3), Email: pick(4), Title: pick(5), Workplace: pick(6), HireDate: pick(7),
				Manager: fmt.Sprintf("u%d", i/2), Primary: "9", Attributes: map[string]string{pick(8): pick(9), pick(10): pick(11)},
				Memberships: []directory.Membership{{Department: []string{"1", "7", "8"}[i%3], Order: int64(i) << 28, Leader: i%5 == 0}, {Department: "9"}},
			},
		})
	}
	set, err := manifests.For(c, []string{"dingtalk", "wecom"})
	if err != nil {
		t.Fatal(err)
	}
	if set.People == 0 || set.People == len(c.People) || set.LeftOut == 0 {
		t.Errorf("%d of %d people, %d left out", set.People, len(c.People), set.LeftOut)
	}
	ns, objects := namespace(t), 0
	for path, text := range set.All() {
		if path == "kustomization.yaml" {
			continue
		}
		for document := range bytes.SplitSeq(text, []byte("---\n")) {
			if !bytes.Contains(document, []byte("kind: ")) {
				continue
			}
			objects++
			if _, err := api.apply(t.Context(), ns, document); err != nil {
				t.Errorf("%s: %v in\n%s", path, err, document)
			}
		}
	}
	if objects != set.People+set.Departments {
		t.Errorf("%d objects, counted %d and %d", objects, set.People, set.Departments)
	}
}
