package wecom

import (
	"encoding/json"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxPlaces  = 100 // departments of one member (90195)
	maxLeaders = 1   // direct leaders (90195)
)

// person is a member as user/get and user/list show one (90196). The sensitive
// part is left out for apps that may not see it.
type person struct {
	UserID           string          `json:"userid"`
	Name             string          `json:"name"`
	Department       []int           `json:"department"`
	Order            []uint32        `json:"order"`
	Position         string          `json:"position"`
	Gender           string          `json:"gender"`
	IsLeaderInDept   []int           `json:"is_leader_in_dept"`
	DirectLeader     []string        `json:"direct_leader"`
	Telephone        string          `json:"telephone"`
	Alias            string          `json:"alias"`
	OpenUserID       string          `json:"open_userid"`
	MainDepartment   int             `json:"main_department"`
	Status           int             `json:"status"`
	ExtAttr          attributes      `json:"extattr"`
	ExternalPosition string          `json:"external_position"`
	ExternalProfile  json.RawMessage `json:"external_profile,omitempty"`
	*sensitive
}

type attributes struct {
	Attrs []Attribute `json:"attrs"`
}

type sensitive struct {
	Mobile       string   `json:"mobile"`
	Email        string   `json:"email"`
	BizMail      string   `json:"biz_mail"`
	BizMailAlias []string `json:"biz_mail_alias,omitempty"`
	Avatar       string   `json:"avatar"`
	ThumbAvatar  string   `json:"thumb_avatar"`
	QRCode       string   `json:"qr_code"`
	Address      string   `json:"address"`
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// show gives a member as the caller may see one.
func (x *exchange) show(u *User) person {
	p := person{
		UserID: u.UserID, Name: u.Name, Department: orEmpty(u.Department), Order: orEmpty(u.Order),
		Position: u.Position, Gender: "0", IsLeaderInDept: orEmpty(u.IsLeaderInDept),
		DirectLeader: orEmpty(u.DirectLeader), Telephone: u.Telephone, Alias: u.Alias,
		MainDepartment: u.MainDepartment, Status: u.Status(), ExtAttr: attributes{orEmpty(u.ExtAttr)},
		ExternalPosition: u.ExternalPosition, ExternalProfile: u.ExternalProfile,
	}
	if app := x.credential.app; app == nil || !app.SensitiveFieldsHidden {
		p.Gender = u.Gender
		p.sensitive = &sensitive{
			Mobile: u.Mobile, Email: u.Email, BizMail: u.BizMail, BizMailAlias: u.BizMailAlias, Address: u.Address,
			QRCode: "https://open.work.weixin.qq.com/wwopen/userQRCode?vcode=" + userKey(u.UserID),
		}
	}
	return p
}

// personFields flattens a member into the body of an answer.
func personFields(p person) fields {
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err) // a person can always be marshalled; a test would meet it
	}
	body := fields{}
	flat := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &flat); err != nil {
		panic(err)
	}
	for name, value := range flat {
		body[name] = value
	}
	return body
}

// fill takes the given fields of the form into a member and checks each. It
// returns the departments asked for, which may not exist yet, or nil if they stay.
func (x *exchange) fill(u *User) (places []int, f *failure) {
	for _, step := range []func(*User) *failure{x.fillTexts, x.fillContact, x.fillBizMail, x.fillFlags, x.fillAttributes} {
		if f := step(u); f != nil {
			return nil, f
		}
	}
	return x.fillPlaces(u)
}

func (x *exchange) fillTexts(u *User) *failure {
	for _, field := range []struct {
		name string
		to   *string
		size func(string) int
		max  int
		code int // when it is longer
	}{
		{"name", &u.Name, utf8.RuneCountInString, 64, 60112},
		{"alias", &u.Alias, utf8.RuneCountInString, 64, 40058},
		{"position", &u.Position, utf8.RuneCountInString, 128, 40058},
		{"telephone", &u.Telephone, func(s string) int { return len(s) }, 32, 40058},
		{"address", &u.Address, utf8.RuneCountInString, 128, 40058},
		{"external_position", &u.ExternalPosition, width, 24, 40058}, // 12 Chinese characters
		{"nickname", &u.Nickname, utf8.RuneCountInString, 64, 40058},
		{"avatar_mediaid", &u.AvatarMediaID, utf8.RuneCountInString, 256, 40058},
	} {
		value, ok := x.form.text(field.name)
		if !ok {
			continue
		}
		if field.size(value) > field.max || field.name == "name" && value == "" {
			return fail(field.code)
		}
		*field.to = value
	}
	if f := x.fillGender(u); f != nil {
		return f
	}
	if x.form.kind("external_profile") == '{' {
		u.ExternalProfile = x.form.values["external_profile"]
	}
	return nil
}

// fillGender takes text, as 90195 writes it, and a number, which is what the
// platform has called it.
func (x *exchange) fillGender(u *User) *failure {
	var gender string
	var s state
	if x.form.kind("gender") == '"' {
		gender, s = read[string](x.form, "gender")
	} else {
		var n int
		n, s = read[int](x.form, "gender")
		gender = strconv.Itoa(n)
	}
	if s != given {
		return nil
	}
	if gender != "" && gender != "0" && gender != "1" && gender != "2" {
		return fail(40058)
	}
	u.Gender = gender
	return nil
}

// width counts a Chinese character twice.
func width(s string) int {
	n := 0
	for _, c := range s {
		n++
		if c > utf8.RuneSelf {
			n++
		}
	}
	return n
}

// fillContact ignores, without a word, the mobile of an active member, and the
// mail of one where Tencent mail is bound (90197).
func (x *exchange) fillContact(u *User) *failure {
	active := u.Activated && !u.Left
	if mobile, ok := x.form.text("mobile"); ok && !active {
		plain := plainMobile(mobile)
		if mobile != "" && !validMobile(mobile, plain) {
			return fail(60103)
		}
		u.Mobile = plain
	}
	if address, ok := x.form.text("email"); ok && (!active || !x.tenant.spec.Options.ExmailBound) {
		if address != "" && !validMail(address, 64) {
			return fail(60105)
		}
		u.Email = address
	}
	if u.Mobile == "" && u.Email == "" {
		return fail(60129)
	}
	return nil
}

func (x *exchange) fillBizMail(u *User) *failure {
	if address, ok := x.form.text("biz_mail"); ok {
		if address != "" && !validMail(address, 63) {
			return fail(60143)
		}
		u.BizMail = address
	}
	alias, s := read[struct {
		Item []string `json:"item"`
	}](x.form, "biz_mail_alias")
	if len(alias.Item) > 5 {
		return fail(40058)
	}
	if s == given {
		u.BizMailAlias = alias.Item
	}
	return nil
}

// validMobile knows digits, plus and minus, up to 32 of them (90313 under 60103).
func validMobile(mobile, plain string) bool {
	if len(mobile) > 32 || len(plain) < 5 {
		return false
	}
	for i, c := range plain {
		if (c < '0' || c > '9') && (c != '+' || i > 0) {
			return false
		}
	}
	return true
}

func validMail(address string, longest int) bool {
	if len(address) < 6 || len(address) > longest {
		return false
	}
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address
}

func (x *exchange) fillFlags(u *User) *failure {
	if enable, s := read[int](x.form, "enable"); s == given {
		if enable != 0 && enable != 1 {
			return fail(40058)
		}
		u.Enable = enable
	}
	leaders, s := read[[]string](x.form, "direct_leader")
	if s != given {
		return nil
	}
	if len(leaders) > maxLeaders {
		return fail(60257)
	}
	u.DirectLeader = nil
	for _, id := range leaders {
		leader, ok := x.tenant.user(id, core.Live)
		if !ok {
			return failText(60111, "invalid string value `%s`. userid not found", id)
		}
		u.DirectLeader = append(u.DirectLeader, leader.UserID)
	}
	return nil
}

// alone drops the part of the other type, which means nothing, and reports
// whether the attribute has that of its own.
func (a Attribute) alone() (Attribute, bool) {
	if a.Type == 0 {
		a.Web = nil
	} else {
		a.Text = nil
	}
	return a, a.Type == 0 && a.Text != nil || a.Type == 1 && a.Web != nil
}

// fillAttributes sets the attributes that are given and registered; unknown
// names are ignored without a word (90195).
func (x *exchange) fillAttributes(u *User) *failure {
	in, s := read[attributes](x.form, "extattr")
	if s != given {
		return nil
	}
	set := slices.Clone(u.ExtAttr)
	for _, a := range in.Attrs {
		if a.Type == 0 && a.Text != nil && utf8.RuneCountInString(a.Text.Value) > 64 ||
			a.Type == 1 && a.Web != nil && utf8.RuneCountInString(a.Web.Title) > 12 {
			return fail(40058)
		}
		a, usable := a.alone()
		if !usable || !x.tenant.registered(a.Name) {
			continue
		}
		if i := slices.IndexFunc(set, func(b Attribute) bool { return b.Name == a.Name }); i >= 0 {
			set[i] = a
		} else {
			set = append(set, a)
		}
	}
	u.ExtAttr = set
	return nil
}

// fillPlaces reads the departments and what goes with them. u.Department is set
// by settle, when everything else is known to be right.
func (x *exchange) fillPlaces(u *User) ([]int, *failure) {
	places, f := x.places(u)
	if f != nil {
		return nil, f
	}
	now := places
	if now == nil {
		now = u.Department
	}
	if places == nil && len(now) == 0 { // a new member
		places = []int{0}
		now = places
	}
	order, leads := carry(u, now, func(i int) uint32 { return u.Order[i] }), carry(u, now, func(i int) int { return u.IsLeaderInDept[i] })
	if given32, s := read[[]uint32](x.form, "order"); s == given {
		if order = given32; len(order) != len(now) {
			return nil, fail(40058)
		}
	}
	if flags, s := read[[]int](x.form, "is_leader_in_dept"); s == given {
		if leads = flags; len(leads) != len(now) {
			return nil, fail(60132)
		}
		if slices.ContainsFunc(leads, func(v int) bool { return v != 0 && v != 1 }) {
			return nil, fail(40058)
		}
	}
	u.Order, u.IsLeaderInDept = order, leads
	if main, s := read[int](x.form, "main_department"); s == given {
		if !slices.Contains(now, main) {
			return nil, fail(40058)
		}
		u.MainDepartment = main
	}
	return places, nil
}

// carry keeps a value per department for those that stay; others get zero.
func carry[T any](u *User, now []int, old func(int) T) []T {
	values := make([]T, len(now))
	for i, d := range now {
		if was := slices.Index(u.Department, d); was >= 0 {
			values[i] = old(was)
		}
	}
	return values
}

// places reads department: a list of numbers, 0 for none in particular. Nil
// means that it is not given.
func (x *exchange) places(u *User) ([]int, *failure) {
	switch x.form.kind("department") {
	case '[':
	case '"':
		x.form.warned = true
		return nil, fail(41019)
	default:
		if x.form.has("department") && string(x.form.values["department"]) != "0" {
			x.form.warned = true
		}
		return nil, nil
	}
	ids, s := read[[]int](x.form, "department")
	if s != given {
		return nil, fail(60127)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	if len(ids) > maxPlaces {
		return nil, fail(60110)
	}
	seen := map[int]bool{}
	for _, id := range ids {
		if id < 0 || id > maxDepartmentID {
			return nil, fail(60123)
		}
		if id == 0 {
			id = x.tenant.waitingRoom() // still 0 if there is none
		}
		if seen[id] {
			return nil, fail(40058)
		}
		seen[id] = true
		if slices.Contains(u.Department, id) {
			continue
		}
		if f := x.tenant.room(id); f != nil {
			return nil, f
		}
	}
	return ids, nil
}

// room refuses one more node than a department may hold (90205).
func (t *tenant) room(id int) *failure {
	if t.nodes(id)+1 > or(t.spec.Options.MaxNodes, 30_000) {
		return fail(81001)
	}
	return nil
}

// unique refuses values that another member has. The order is that of the
// wire: creating somebody again answers "mobile existed" with their own id, and
// "userid existed" only if the mobile differs.
func (t *tenant) unique(u *User, self string) *failure {
	if owner, taken := t.mobiles[plainMobile(u.Mobile)]; taken && owner != self {
		other, _ := t.users.Get(owner, core.Live)
		return failText(60104, "mobile existed:%s", other.UserID)
	}
	if owner, taken := t.mails[strings.ToLower(u.Email)]; taken && owner != self {
		other, _ := t.users.Get(owner, core.Live)
		return failText(60106, "email existed:%s", other.UserID)
	}
	if owner, taken := t.bizMails[strings.ToLower(u.BizMail)]; taken && owner != self {
		return fail(60145)
	}
	return nil
}

type madeDepartment struct {
	Name string `json:"name"`
	ID   int    `json:"id"`
}

// settle puts a member into departments, making those that do not exist.
func (t *tenant) settle(u *User, places []int) (made []madeDepartment) {
	if places == nil {
		return nil
	}
	u.Department = make([]int, 0, len(places))
	for _, id := range places {
		if id == 0 {
			id = t.wait(places)
		} else if _, ok := t.department(id, core.Live); !ok {
			d := t.adopt(id, places)
			made = append(made, madeDepartment{d.Name, d.ID})
		}
		u.Department = append(u.Department, id)
	}
	if !slices.Contains(u.Department, u.MainDepartment) {
		u.MainDepartment = u.Department[0]
	}
	return made
}

// registered tells whether the corp has an extension attribute.
func (t *tenant) registered(name string) bool {
	known := t.spec.Options.Attributes
	return slices.Contains(known, name) || slices.Contains(known, anyAttribute)
}
