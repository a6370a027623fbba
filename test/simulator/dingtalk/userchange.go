package dingtalk

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/test/simulator/core"
)

// Limits of https://open.dingtalk.com/document/development/user-information-creation
// and, for the size of a department, of
// https://open.dingtalk.com/document/development/server-api-error-codes-1 (40023).
const (
	maxUserID    = 64
	maxUserDepts = 100
	maxExtension = 2000
	maxDeptSize  = 1000
)

// userChange is what a create or an update asks for; nil means not given.
type userChange struct {
	name, telephone, jobNumber, title, email, orgEmail, orgEmailType *string
	workPlace, remark, loginEmail, manager                           *string
	nickname, login, password, avatar, exclusiveMobile               *string
	hideMobile, senior                                               *bool
	hiredDate                                                        *int64
	depts                                                            []int64
	orders                                                           map[int64]int64
	titles                                                           map[int64]string
	positions                                                        map[int64]membership
	extension                                                        map[string]string
	extensionI18n                                                    map[string]any
	extensionMerge                                                   bool
	forced                                                           []string
}

// limitedTexts are the texts with the length, in characters, and the code of
// the refusal beyond it. Where no code of its own is known, it is 40035.
var limitedTexts = []struct {
	name  string
	field func(*userChange) **string
	max   int
	code  int
}{
	{"name", func(c *userChange) **string { return &c.name }, 80, codeNameInvalid},
	{"telephone", func(c *userChange) **string { return &c.telephone }, 50, codeTelephoneInvalid},
	{"job_number", func(c *userChange) **string { return &c.jobNumber }, 50, codeJobNumberInvalid},
	{"title", func(c *userChange) **string { return &c.title }, 200, codePositionInvalid},
	{"email", func(c *userChange) **string { return &c.email }, 50, codeEmailInvalid},
	{"org_email", func(c *userChange) **string { return &c.orgEmail }, 100, codeEmailInvalid},
	{"org_email_type", func(c *userChange) **string { return &c.orgEmailType }, 20, codeParam},
	{"work_place", func(c *userChange) **string { return &c.workPlace }, 100, codeWorkPlaceInvalid},
	{"remark", func(c *userChange) **string { return &c.remark }, 2000, codeRemarkInvalid},
	{"login_email", func(c *userChange) **string { return &c.loginEmail }, 64, codeEmailInvalid},
	{"manager_userid", func(c *userChange) **string { return &c.manager }, maxUserID, codeManagerInvalid},
	{"nickname", func(c *userChange) **string { return &c.nickname }, 80, codeParam},
	{"init_password", func(c *userChange) **string { return &c.password }, 64, codeParam},
	{"avatarMediaId", func(c *userChange) **string { return &c.avatar }, 512, codeParam},
	{"exclusive_mobile", func(c *userChange) **string { return &c.exclusiveMobile }, 32, codeMobileInvalid},
}

var emailForm = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)

// readUserChange reads the parameters that create and update share. What has
// the wrong type is refused with 40035.
func readUserChange(a args) (*userChange, error) {
	c := &userChange{}
	for _, read := range []func(args) error{c.readTexts, c.readFlags, c.readDepts, c.readExtension} {
		if err := read(a); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *userChange) readTexts(a args) error {
	for _, l := range limitedTexts {
		if !a.has(l.name) {
			continue
		}
		s, err := a.text(l.name)
		if err != nil {
			return refuse(codeParam)
		}
		if s = strings.TrimSpace(s); utf8.RuneCountInString(s) > l.max {
			return refuse(l.code)
		}
		*l.field(c) = &s
	}
	// The documents say login_id for create and loginId for update; public SDKs
	// send loginId to both.
	for _, name := range []string{"login_id", "loginId"} {
		if s, err := a.text(name); err != nil {
			return refuse(codeParam)
		} else if s != "" {
			c.login = &s
		}
	}
	if c.email != nil && *c.email != "" && !emailForm.MatchString(*c.email) {
		return refuse(codeEmailInvalid)
	}
	if t := c.orgEmailType; t != nil && *t != "" && *t != "profession" && *t != "base" {
		return refuse(codeParam)
	}
	return nil
}

func (c *userChange) readFlags(a args) error {
	for name, into := range map[string]**bool{"hide_mobile": &c.hideMobile, "senior_mode": &c.senior} {
		if s, _ := a.text(name); a.has(name) && s != "" {
			v, err := a.flag(name)
			if err != nil {
				return refuse(codeParam)
			}
			*into = &v
		}
	}
	n, given, err := a.integer("hired_date")
	if err != nil || given && n < 0 {
		return refuse(codeParam)
	}
	if given {
		c.hiredDate = &n
	}
	if c.forced, err = a.list("force_update_fields"); err != nil {
		return refuse(codeParam)
	}
	return nil
}

func (c *userChange) readDepts(a args) error {
	var err error
	if a.has("dept_id_list") {
		if c.depts, err = a.ids("dept_id_list"); err != nil {
			return refuse(codeParam)
		}
		if len(c.depts) > maxUserDepts {
			return refuse(codeDeptCount)
		}
	}
	c.orders, c.titles, c.positions = map[int64]int64{}, map[int64]string{}, map[int64]membership{}
	read := func(name string, take func(dept int64, e args) error) error {
		entries, err := a.objects(name)
		if err != nil {
			return refuse(codeParam)
		}
		for _, e := range entries {
			dept, given, err := e.integer("dept_id")
			if err != nil || !given || take(dept, e) != nil {
				return refuse(codeParam)
			}
		}
		return nil
	}
	if err := read("dept_order_list", func(dept int64, e args) error {
		n, _, err := e.integer("order")
		c.orders[dept] = n
		return err
	}); err != nil {
		return err
	}
	if err := read("dept_title_list", func(dept int64, e args) error {
		s, err := e.text("title")
		c.titles[dept] = s
		return err
	}); err != nil {
		return err
	}
	return read("dept_position_list", func(dept int64, e args) error {
		title, err := e.text("title")
		if err != nil {
			return err
		}
		place, err := e.text("work_place")
		if err != nil {
			return err
		}
		isMain, err := e.flag("is_main")
		c.positions[dept] = membership{title: title, workPlace: place, main: isMain}
		return err
	})
}

// readExtension reads the custom fields: a JSON object, as text or as it is,
// whose values are texts or numbers.
func (c *userChange) readExtension(a args) error {
	object, err := a.object("extension")
	if err != nil {
		return refuse(codeExtInvalid)
	}
	if object != nil {
		text, err := json.Marshal(object)
		if err != nil || utf8.RuneCount(text) > maxExtension {
			return refuse(codeExtInvalid)
		}
		c.extension = map[string]string{}
		for name := range object {
			if c.extension[name], err = object.text(name); err != nil {
				return refuse(codeExtInvalid)
			}
		}
	}
	i18n, err := a.object("extension_i18n")
	if err != nil {
		return refuse(codeExtInvalid)
	}
	c.extensionI18n = i18n
	mode, _, err := a.integer("ext_attrs_update_mode")
	if err != nil || mode != 0 && mode != 1 {
		return refuse(codeParam)
	}
	c.extensionMerge = mode == 1
	return nil
}

var (
	mainland = regexp.MustCompile(`^1\d{10}$`)
	abroad   = regexp.MustCompile(`^\+(\d{1,4})-(\d{4,15})$`)
)

// parsePhone reads "13800000000" and "+852-61234567"; other forms are not valid.
func parsePhone(s string) (phone, bool) {
	s = strings.TrimSpace(s)
	if mainland.MatchString(s) {
		return phone{"86", s}, true
	}
	m := abroad.FindStringSubmatch(s)
	if m == nil || m[1] == "86" && !mainland.MatchString(m[2]) {
		return phone{}, false
	}
	return phone{m[1], m[2]}, true
}

// clone is a copy that can be changed.
func (u *user) clone() *user {
	c := *u
	c.depts = slices.Clone(u.depts)
	c.roles = slices.Clone(u.roles)
	c.adminDepts = slices.Clone(u.adminDepts)
	c.extension = map[string]string{}
	for k, v := range u.extension {
		c.extension[k] = v
	}
	return &c
}

// apply writes a change into u, which must not be in the table yet or be a
// clone. It checks everything that the state decides, and refuses without having
// changed anything but u.
func (t *tenant) apply(u *user, c *userChange, now time.Time) error {
	for into, v := range map[*string]*string{
		&u.telephone: c.telephone, &u.jobNumber: c.jobNumber, &u.title: c.title, &u.email: c.email,
		&u.workPlace: c.workPlace, &u.remark: c.remark, &u.loginEmail: c.loginEmail,
	} {
		if v != nil {
			*into = *v
		}
	}
	if c.name != nil {
		if *c.name == "" {
			return refuse(codeNameInvalid)
		}
		u.name = *c.name
	}
	if c.hideMobile != nil {
		u.hideMobile = *c.hideMobile
	}
	if c.senior != nil {
		u.senior = *c.senior
	}
	if c.hiredDate != nil {
		u.hiredDate = *c.hiredDate
	}
	if c.extensionI18n != nil {
		u.extensionI18n = c.extensionI18n
	}
	u.modified = now
	t.applyExtension(u, c)
	for _, step := range []func(*user, *userChange) error{t.applyManager, t.applyAccount, t.applyOrgEmail} {
		if err := step(u, c); err != nil {
			return err
		}
	}
	if err := t.applyDepts(u, c, now); err != nil {
		return err
	}
	return t.unique(u)
}

// applyExtension keeps the registered fields only. That others are dropped
// rather than refused is not documented (?): the page of user/create just says
// that fields must be added in the admin console first.
func (t *tenant) applyExtension(u *user, c *userChange) {
	if c.extension == nil {
		return
	}
	next := map[string]string{}
	if c.extensionMerge {
		next = u.extension
	}
	for name, value := range c.extension {
		if fields := t.spec.Options.ExtensionFields; !slices.Contains(fields, name) && !slices.Contains(fields, anyField) {
			continue
		}
		if value == "" {
			delete(next, name)
		} else {
			next[name] = value
		}
	}
	u.extension = next
}

// applyManager sets the manager. An empty one clears it only if it is among
// the forced fields.
func (t *tenant) applyManager(u *user, c *userChange) error {
	switch {
	case c.manager != nil && *c.manager != "":
		if _, ok := t.users.Get(*c.manager, core.Live); !ok {
			return refuse(codeManagerInvalid)
		}
		u.manager = *c.manager
	case slices.Contains(c.forced, "manager_userid"):
		u.manager = ""
	}
	return nil
}

// applyOrgEmail sets the company mail address, which has an effect only where
// the company's mail is opened.
func (t *tenant) applyOrgEmail(u *user, c *userChange) error {
	if !t.spec.Options.OrgEmail {
		return nil
	}
	if c.orgEmail != nil && *c.orgEmail != "" {
		u.orgEmail = *c.orgEmail
		if c.orgEmailType != nil {
			u.orgEmailType = *c.orgEmailType
		}
	} else if slices.Contains(c.forced, "org_email") {
		u.orgEmail, u.orgEmailType = "", ""
	}
	return nil
}

// applyDepts sets memberships and what is kept per membership.
func (t *tenant) applyDepts(u *user, c *userChange, now time.Time) error {
	if c.depts != nil {
		if len(c.depts) == 0 {
			return refuse(codeParam)
		}
		next := make([]membership, 0, len(c.depts))
		for _, dept := range c.depts {
			if _, ok := t.depts.Get(key(dept), core.Live); !ok {
				return refuse(codeNoDept)
			}
			m := membership{dept: dept, joined: now, order: t.defaultOrder(dept)}
			if old := u.in(dept); old != nil {
				m = *old
			} else if len(t.members[dept]) >= maxDeptSize {
				return refuse(codeDeptFull)
			}
			next = append(next, m)
		}
		u.depts = next
	}
	for i := range u.depts {
		m := &u.depts[i]
		if order, ok := c.orders[m.dept]; ok {
			m.order = order
		}
		if title, ok := c.titles[m.dept]; ok {
			m.title, m.position = title, true
		}
		if p, ok := c.positions[m.dept]; ok {
			m.title, m.workPlace, m.main, m.position = p.title, p.workPlace, p.main, true
		}
	}
	return nil
}

// unique refuses a user that shares with another one what must be unique. The
// employee number need not be.
func (t *tenant) unique(u *user) error {
	other := func(id string, ok bool) bool { return ok && id != u.id }
	for _, check := range []struct {
		index map[string]string
		value string
		code  int
	}{
		{t.byTelephone, u.telephone, codeTelephoneExists},
		{t.byEmail, strings.ToLower(u.email), codeEmailExists},
		// No code of its own is documented for a login name that is taken (?).
		{t.byLogin, u.login, codeParam},
	} {
		if id, ok := check.index[check.value]; other(id, ok) {
			return refuse(check.code)
		}
	}
	if id, ok := t.byMobile[u.mobile]; other(id, ok) {
		return refuse(codeMobileExists)
	}
	return nil
}

// applyAccount sets what only enterprise accounts have; for others it is
// ignored.
// https://open.dingtalk.com/document/development/update-dedicated-accounts-information
func (t *tenant) applyAccount(u *user, c *userChange) error {
	if !u.exclusive {
		return nil
	}
	if c.nickname != nil {
		u.nickname = *c.nickname
	}
	if c.avatar != nil {
		u.avatar = *c.avatar
	}
	if c.exclusiveMobile != nil && *c.exclusiveMobile != "" {
		p, ok := parsePhone(*c.exclusiveMobile)
		if !ok {
			return refuse(codeMobileInvalid)
		}
		u.mobile = p
	}
	if u.exclusiveType != accountDingTalk {
		return nil // name and password of an SSO account belong to the company's own login
	}
	if c.login != nil {
		u.login = *c.login
	}
	if c.password != nil && !goodPassword(*c.password) {
		return refuse(codeParam)
	}
	return nil
}

// goodPassword: at least 8 characters, not all letters and not all digits.
// https://open.dingtalk.com/document/development/create-dingtalk-user-created-dedicated-account
func goodPassword(s string) bool {
	if utf8.RuneCountInString(s) < 8 {
		return false
	}
	if _, err := strconv.ParseUint(s, 10, 64); err == nil {
		return false
	}
	digits, letters := 0, 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			letters++
		}
	}
	n := utf8.RuneCountInString(s)
	return digits < n && letters < n
}
