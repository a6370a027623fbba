package sdk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/credential"
	"github.com/silenceper/wechat/v2/util"
	"github.com/silenceper/wechat/v2/work"
	"github.com/silenceper/wechat/v2/work/addresslist"
	"github.com/silenceper/wechat/v2/work/config"
	"github.com/silenceper/wechat/v2/work/message"
)

const (
	wecomCorp       = "wwacme000000000000"
	wecomSyncSecret = "acme-sync-secret-not-a-real-one"
	wecomAppSecret  = "acme-app-secret-not-a-real-one"
)

// wecomClient is the SDK with one secret of acme.
type wecomClient struct {
	*addresslist.Client
	messages *message.Client
	tokens   cache.Cache
}

// newWeComClient gives each secret a cache of its own: the SDK keeps tokens by
// corp, so that two secrets with one cache would get each other's.
func newWeComClient(secret string) wecomClient {
	tokens := cache.NewMemory()
	w := work.NewWork(&config.Config{CorpID: wecomCorp, CorpSecret: secret, Cache: tokens})
	return wecomClient{w.GetAddressList(), w.GetMessage(), tokens}
}

// newWeCom resets the simulator and makes a client for the sync secret, which
// writes, and one for the app's, which reads.
func newWeCom(t *testing.T) (sync, app wecomClient) {
	t.Helper()
	reset(t)
	return newWeComClient(wecomSyncSecret), newWeComClient(wecomAppSecret)
}

// setToken makes the SDK take a token for valid.
func (c wecomClient) setToken(t *testing.T, token any) {
	t.Helper()
	key := fmt.Sprintf("%s_access_token_%s", credential.CacheKeyWorkPrefix, wecomCorp)
	if token == nil {
		ok(t, c.tokens.Delete(key))
		return
	}
	ok(t, c.tokens.Set(key, token, time.Hour))
}

const wecomAPI = "https://qyapi.weixin.qq.com/cgi-bin/"

// post and get are for the calls that this version of the SDK has not got:
// updating members and departments, deleting departments. Token, transport and the
// reading of errors are the SDK's.
func (c wecomClient) post(call string, body any) error {
	token, err := c.GetAccessToken()
	if err != nil {
		return err
	}
	answer, err := util.PostJSON(wecomAPI+call+"?"+util.Query(map[string]any{"access_token": token}), body)
	if err != nil {
		return err
	}
	return util.DecodeWithCommonError(answer, call)
}

func (c wecomClient) get(call string, query map[string]any) error {
	token, err := c.GetAccessToken()
	if err != nil {
		return err
	}
	query["access_token"] = token
	answer, err := util.HTTPGet(wecomAPI + call + "?" + util.Query(query))
	if err != nil {
		return err
	}
	return util.DecodeWithCommonError(answer, call)
}

// failed checks for a code of the platform, and the beginning of its text.
func failed(t *testing.T, what string, err error, code int64, text string) {
	t.Helper()
	if e := new(util.CommonError); !errors.As(err, &e) || e.ErrCode != code || !strings.HasPrefix(e.ErrMsg, text) {
		t.Errorf("%s: %v, want code %d %s", what, err, code, text)
	}
}

func TestWeComToken(t *testing.T) {
	sync, app := newWeCom(t)
	first, err := sync.GetAccessToken()
	ok(t, err)
	again, err := sync.GetAccessToken()
	ok(t, err)
	same(t, "a token asked for twice", again, first)
	same(t, "calls of gettoken", calls(t, "wecom", "gettoken"), 1)
	sync.setToken(t, nil)
	again, err = sync.GetAccessToken()
	ok(t, err)
	same(t, "a token of the platform asked for twice", again, first)

	// The platform takes it back, and the SDK does not know.
	ask(t, "DELETE", "/state/wecom/acme/tokens/sync", "", nil)
	_, err = sync.DepartmentSimpleList(1)
	failed(t, "a token that was taken back", err, 40014, "invalid access_token")
	sync.setToken(t, nil)
	_, err = sync.DepartmentSimpleList(1)
	ok(t, err)
	ask(t, "POST", "/clock/advance", `{"seconds":7200}`, nil)
	_, err = sync.DepartmentSimpleList(1)
	failed(t, "an expired token", err, 42001, "access_token expired")
	sync.setToken(t, "nobody's")
	_, err = sync.DepartmentSimpleList(1)
	failed(t, "an unknown token", err, 40014, "invalid access_token")
	app.setToken(t, "")
	_, err = app.UserGet("E1")
	failed(t, "no token", err, 41001, "access_token missing")

	// The SDK's error of gettoken has a text only.
	if _, err = newWeComClient("not-the-secret").GetAccessToken(); err == nil || !strings.Contains(err.Error(), "errcode=40001") {
		t.Errorf("a wrong secret: %v", err)
	}
	other := work.NewWork(&config.Config{CorpID: "wwnobody", CorpSecret: wecomSyncSecret, Cache: cache.NewMemory()})
	if _, err = other.GetAddressList().GetAccessToken(); err == nil || !strings.Contains(err.Error(), "errcode=40013") {
		t.Errorf("a wrong corp: %v", err)
	}
}

// TestWeComSecrets: who may do what.
func TestWeComSecrets(t *testing.T) {
	sync, app := newWeCom(t)
	_, err := app.UserCreate(wecomUser(1, 1))
	failed(t, "an app that creates", err, 48002, "api forbidden")
	_, err = app.UserListID(&addresslist.UserListIDRequest{Limit: 10})
	failed(t, "an app that lists ids", err, 48002, "api forbidden")
	_, err = sync.messages.SendText(wecomText("E1", "x"))
	failed(t, "the sync secret that sends", err, 48002, "api forbidden")
	_, err = sync.UserCreate(wecomUser(1, 1))
	ok(t, err)
	_, err = sync.UserGet("E1")
	failed(t, "the sync secret that reads", err, 48009, "api forbidden")
	_, err = sync.DepartmentList()
	failed(t, "the sync secret that lists", err, 48009, "api forbidden")

	set(t, "wecom/acme", `{"syncReadRefused":false}`, `{"syncReadRefused":true}`)
	got, err := sync.UserGet("E1")
	ok(t, err)
	same(t, "what the sync secret reads from an old address", got.Mobile, "13900000001")
	got, err = app.UserGet("E1")
	ok(t, err)
	same(t, "what a new app reads", []string{got.Name, got.Mobile, got.Email}, []string{"员工1", "", ""})
}

// wecomUser is a request for E<n>, with the mobile number 1390000<n>, in a
// department. The SDK sends all fields, so those that must not be zero are set.
func wecomUser(n, department int) *addresslist.UserCreateRequest {
	return &addresslist.UserCreateRequest{
		UserID: fmt.Sprintf("E%d", n), Name: fmt.Sprintf("员工%d", n), Mobile: fmt.Sprintf("1390000%04d", n),
		Department: []int{department}, MainDepartment: department, Enable: 1,
	}
}

// TestWeComUser is the life of one member.
func TestWeComUser(t *testing.T) {
	sync, app := newWeCom(t)
	for id, name := range map[int]string{2: "研发", 3: "运维"} {
		_, err := sync.DepartmentCreate(&addresslist.DepartmentCreateRequest{ID: id, Name: name, ParentID: 1})
		ok(t, err)
	}
	_, err := sync.UserCreate(wecomUser(1, 2))
	ok(t, err)
	member := &addresslist.UserCreateRequest{
		UserID: "E100", Name: "林晓", Alias: "小林", Mobile: "+86 13900000100", Email: "e100@example.com", Position: "工程师",
		Department: []int{2, 3}, Order: []int{5, 6}, IsLeaderInDept: []int{1, 0}, MainDepartment: 3, DirectLeader: []string{"E1"},
		Telephone: "020-100", Address: "三楼", Enable: 1, ToInvite: false, ExternalPosition: "高级工程师",
	}
	attribute := addresslist.ExtraAttr{Name: "工号"}
	attribute.Text.Value = "E100"
	unknown := attribute
	unknown.Name = "爱好"
	member.Extattr.Attrs = []addresslist.ExtraAttr{attribute, unknown}
	_, err = sync.UserCreate(member)
	ok(t, err)
	has(t, "wecom/acme/users/E100", `{"name":"林晓","alias":"小林","mobile":"13900000100","email":"e100@example.com",
		"position":"工程师","department":[2,3],"order":[5,6],"is_leader_in_dept":[1,0],"main_department":3,"direct_leader":["E1"],
		"telephone":"020-100","address":"三楼","external_position":"高级工程师","enable":1,"status":4,"invitations":0,
		"extattr":[{"type":0,"name":"工号","text":{"value":"E100"}}]}`)

	got, err := app.UserGet("e100") // case does not matter
	ok(t, err)
	same(t, "user/get", []any{
		got.UserID, got.Name, got.Alias, got.Position, got.Department, got.Order, got.IsLeaderInDept, got.MainDepartment,
		got.DirectLeader, got.Telephone, got.Status, got.ExternalPosition, len(got.Extattr.Attrs), got.Extattr.Attrs[0].Text.Value,
	}, []any{
		"E100", "林晓", "小林", "工程师", []int{2, 3}, []int{5, 6}, []int{1, 0}, 3,
		[]string{"E1"}, "020-100", 4, "高级工程师", 1, "E100",
	})
	dev, err := app.DepartmentGet(2)
	ok(t, err)
	same(t, "leaders", dev.DepartmentLeader, []string{"E100"})
	list, err := app.UserSimpleList(2)
	ok(t, err)
	same(t, "simplelist", []string{list[0].UserID, list[1].UserID}, []string{"E1", "E100"})
	wecomUpdateAndLeave(t, sync, app)
}

func wecomUpdateAndLeave(t *testing.T, sync, app wecomClient) {
	t.Helper()
	ok(t, sync.post("user/update", map[string]any{"userid": "E100", "position": "组长", "department": []int{3}, "is_leader_in_dept": []int{1}}))
	has(t, "wecom/acme/users/E100", `{"position":"组长","department":[3],"order":[6],"is_leader_in_dept":[1],"main_department":3,"alias":"小林"}`)

	// The mobile number of somebody who has joined stays, and nobody says so.
	ask(t, "POST", "/state/wecom/acme/accept/E100", "", nil)
	ok(t, sync.post("user/update", map[string]any{"userid": "E100", "mobile": "13900000999"}))
	has(t, "wecom/acme/users/E100", `{"mobile":"13900000100","status":1}`)

	ok(t, sync.post("user/update", map[string]any{"userid": "E100", "enable": 0}))
	got, err := app.UserGet("E100")
	ok(t, err)
	same(t, "status when frozen", got.Status, 2)
	ok(t, sync.post("user/update", map[string]any{"userid": "E100", "enable": 1}))
	has(t, "wecom/acme/users/E100", `{"enable":1,"status":1}`)

	_, err = sync.UserDelete("E100")
	ok(t, err)
	gone(t, "wecom/acme/users/E100")
	_, err = app.UserGet("E100")
	failed(t, "getting somebody who left", err, 60111, "invalid string value `E100`. userid not found")
	_, err = sync.UserDelete("E100")
	failed(t, "deleting somebody who left", err, 60111, "")
	failed(t, "updating somebody who left", sync.post("user/update", map[string]any{"userid": "E100", "name": "林"}), 60111, "")
}

// TestWeComConflicts: what must be unique or exist, and what is made on the way.
func TestWeComConflicts(t *testing.T) {
	sync, _ := newWeCom(t)
	first := wecomUser(1, 1)
	first.Email = "e1@example.com"
	_, err := sync.UserCreate(first)
	ok(t, err)
	people := count(t, "wecom/acme/users")
	create := func(change func(*addresslist.UserCreateRequest)) error {
		user := wecomUser(2, 1)
		change(user)
		_, err := sync.UserCreate(user)
		return err
	}
	for _, c := range []struct {
		what   string
		change func(*addresslist.UserCreateRequest)
		code   int64
		text   string
	}{
		{"userid", func(u *addresslist.UserCreateRequest) { u.UserID = "e1" }, 60102, "userid existed"},
		{"mobile", func(u *addresslist.UserCreateRequest) { u.Mobile = "+86 139 0000 0001" }, 60104, "mobile existed:E1"},
		{"email", func(u *addresslist.UserCreateRequest) { u.Email = "E1@example.com" }, 60106, "email existed:E1"},
		{"no mobile number", func(u *addresslist.UserCreateRequest) { u.Mobile = "abc" }, 60103, ""},
		{"neither mobile nor mail", func(u *addresslist.UserCreateRequest) { u.Mobile = "" }, 60129, ""},
		{"no name", func(u *addresslist.UserCreateRequest) { u.Name = "" }, 60112, ""},
		{"no such leader", func(u *addresslist.UserCreateRequest) { u.DirectLeader = []string{"nobody"} }, 60111, ""},
		{"flags without departments", func(u *addresslist.UserCreateRequest) { u.IsLeaderInDept = []int{1, 0} }, 60132, ""},
		// The SDK sends 0 when nothing is set; whether the platform minds, no source tells.
		{"no main department", func(u *addresslist.UserCreateRequest) { u.MainDepartment = 0 }, 40058, ""},
	} {
		failed(t, c.what, create(c.change), c.code, c.text)
	}
	same(t, "people", count(t, "wecom/acme/users"), people)

	departments := count(t, "wecom/acme/departments")
	ok(t, create(func(u *addresslist.UserCreateRequest) { u.Department, u.MainDepartment = []int{77}, 77 }))
	has(t, "wecom/acme/users/E2", `{"department":[77]}`)
	same(t, "departments made for one that there was not", count(t, "wecom/acme/departments"), departments+2)
}

// TestWeComListing reads the whole corp as a sync would.
func TestWeComListing(t *testing.T) {
	sync, app := newWeCom(t)
	ask(t, "POST", "/seed", `{"platform":"wecom","tenant":"acme","users":230,"departments":9}`, nil)
	_, err := sync.UserCreate(&addresslist.UserCreateRequest{
		UserID: "E1", Name: "林晓", Mobile: "13900000001", Department: []int{1, 2}, MainDepartment: 1, Enable: 1,
	})
	ok(t, err)
	people := count(t, "wecom/acme/users")
	for _, limit := range []int{10_000, 50} {
		ids, rows, pages, cursor := map[string]bool{}, 0, 0, ""
		for {
			page, err := sync.UserListID(&addresslist.UserListIDRequest{Cursor: cursor, Limit: limit})
			ok(t, err)
			pages++
			rows += len(page.DeptUser)
			for _, row := range page.DeptUser {
				ids[row.UserID] = true
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
		same(t, "people", len(ids), people)
		same(t, "rows, one per department", rows, people+1)
		same(t, "pages", pages, (rows+limit-1)/limit)
	}

	ids, err := sync.DepartmentSimpleList(1)
	ok(t, err)
	all, err := app.DepartmentList()
	ok(t, err)
	same(t, "departments", []int{len(ids), len(all)}, []int{10, 10})
	found := map[string]bool{}
	for _, d := range ids {
		users, err := app.UserSimpleList(d.ID)
		ok(t, err)
		for _, u := range users {
			found[u.UserID] = true
			if !slices.Contains(u.Department, d.ID) {
				t.Errorf("%s is listed in %d and is in %v", u.UserID, d.ID, u.Department)
			}
		}
	}
	same(t, "people by department", len(found), people)
	_, err = app.UserSimpleList(987654)
	failed(t, "listing no department", err, 60003, "")
	_, err = sync.UserListID(&addresslist.UserListIDRequest{Cursor: "no cursor", Limit: 10})
	failed(t, "a wrong cursor", err, 50100, "")
}

// TestWeComLostAnswer: the member is there though the SDK never heard of it.
func TestWeComLostAnswer(t *testing.T) {
	sync, _ := newWeCom(t)
	_, err := sync.GetAccessToken()
	ok(t, err)
	ask(t, "POST", "/faults", `{"platform":"wecom","operation":"user/create","kind":"dropAfter","times":1}`, nil)
	if _, err = sync.UserCreate(wecomUser(1, 1)); err == nil {
		t.Fatal("the answer was not lost")
	}
	has(t, "wecom/acme/users/E1", `{"name":"员工1"}`)
	_, err = sync.UserCreate(wecomUser(1, 1))
	failed(t, "creating once more", err, 60104, "mobile existed:E1") // before the userid, as on the wire

	ask(t, "POST", "/faults", `{"platform":"wecom","operation":"user/list_id","kind":"throttle","times":1}`, nil)
	_, err = sync.UserListID(&addresslist.UserListIDRequest{Limit: 10})
	failed(t, "too many calls", err, 45009, "")
	_, err = sync.UserListID(&addresslist.UserListIDRequest{Limit: 10})
	ok(t, err)
}
