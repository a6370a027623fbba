package sdk

import (
	"slices"
	"testing"

	"github.com/zhaoyunxing92/dingtalk/v2/constant/employee"
	"github.com/zhaoyunxing92/dingtalk/v2/constant/spaces"
)

// Of what backups read, this SDK has who works here and the spaces of the drive. Its
// calls for the roster and for who left are those of the old API, which are not here.

// TestDingTalkOnTheJob reads, in pages, who works here.
func TestDingTalkOnTheJob(t *testing.T) {
	client := newDingTalk(t)
	ask(t, "POST", "/seed", `{"platform":"dingtalk","tenant":"acme","users":60,"departments":2}`, nil)
	ask(t, "POST", "/seed", `{"platform":"dingtalk","tenant":"acme","users":2,"departments":2,"first":61,"pending":true}`, nil)
	read := func(offset, size int, status ...employee.Status) ([]string, int) {
		page, err := client.GetHrmEmployee(offset, size, status)
		ok(t, err)
		return page.Result.UserIds, page.Result.NextCursor
	}
	first, next := read(0, 50, employee.Formal, employee.ProbationPeriod)
	rest, end := read(next, 50, employee.Formal, employee.ProbationPeriod)
	same(t, "cursors", []int{next, end}, []int{50, 0})
	if all := slices.Concat(first, rest); len(all) != count(t, "dingtalk/acme/users") || !slices.Contains(all, "S00060") {
		t.Errorf("%d work here: %v", len(all), all)
	}
	_, err := client.GetHrmResignEmployeeIds(0, 50)
	refused(t, "the first list of who left", err, 22)
	set(t, "dingtalk/acme", `{"smartHR":false}`, `{"smartHR":true}`)
	nobody, _ := read(0, 50, employee.Formal)
	same(t, "without Smart-HR", len(nobody), 0)
}

// TestDingTalkSpaces reads the spaces of the drive in somebody's name.
func TestDingTalkSpaces(t *testing.T) {
	client := newDingTalk(t)
	ask(t, "POST", "/history", `{"platform":"dingtalk","tenant":"acme","days":30,"seed":1}`, nil)
	defer ask(t, "POST", "/history", `{"platform":"dingtalk","tenant":"acme","days":0}`, nil)
	var founder struct {
		UnionID string `json:"unionid"`
	}
	ask(t, "GET", "/state/dingtalk/acme/users/manager7001", "", &founder)
	var names []string
	for token := "0"; ; {
		page, err := client.GetDriveSpaces(founder.UnionID, spaces.Org, token, 2)
		ok(t, err)
		for _, space := range page.Spaces {
			if space.SpaceId == "" || space.UsedQuota == 0 {
				t.Errorf("a space: %+v", space)
			}
			names = append(names, space.Name)
		}
		if token = page.Token; token == "" {
			break
		}
	}
	same(t, "spaces", len(names), count(t, "dingtalk/acme/spaces"))
	if _, err := client.GetDriveSpaces("nobody", spaces.Org, "0", 2); err == nil {
		t.Error("nobody sees spaces")
	}
}
