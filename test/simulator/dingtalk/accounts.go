package dingtalk

import "rollcall.dev/rollcall/test/simulator/core"

// The types of enterprise accounts.
// https://open.dingtalk.com/document/development/dedicated-account-overview
const (
	accountSSO      = "sso"
	accountDingTalk = "dingtalk"
)

// readNewAccount makes u an enterprise account. Such an account needs no mobile
// number of its person; its own one is exclusive_mobile. In an organisation that
// has not bought enterprise accounts the call is refused; how is not documented (?).
// https://open.dingtalk.com/document/development/create-an-sso-account
// https://open.dingtalk.com/document/development/create-dingtalk-user-created-dedicated-account
func (s *session) readNewAccount(u *user, c *userChange) error {
	if !s.spec.Options.EnterpriseAccounts {
		return refuse(codeNoPermission)
	}
	kind, err := s.args.text("exclusive_account_type")
	if err != nil {
		return refuse(codeParam)
	}
	switch kind {
	case accountSSO, "":
		kind = accountSSO
	case accountDingTalk:
		if c.login == nil || c.password == nil {
			return refuse(codeParam)
		}
	default:
		return refuse(codeParam)
	}
	u.exclusive, u.exclusiveType = true, kind
	return nil
}

// account finds the enterprise account that a call is about. An ordinary
// account cannot be disabled, enabled, signed out or asked for its status.
func (s *session) account() (*user, error) {
	id, err := s.args.text("userId")
	if err != nil || id == "" {
		return nil, errAccountParam
	}
	u, ok := s.users.Get(id, s.at)
	if !ok {
		return nil, errAccountUser
	}
	if !u.exclusive {
		return nil, errAccountOnly
	}
	return u, nil
}

func (s *session) switchAccount(disabled bool) (map[string]any, error) {
	old, err := s.account()
	if err != nil {
		return nil, err
	}
	u := old.clone()
	u.disabled, u.modified = disabled, s.now
	s.putUser(u)
	return map[string]any{"result": true}, nil
}

// disableAccount serves /v1.0/contact/orgAccounts/disable. Doing it twice
// succeeds twice; that is not documented (?).
// https://open.dingtalk.com/document/development/disable-an-exclusive-account
func (s *session) disableAccount() (map[string]any, error) { return s.switchAccount(true) }

// enableAccount serves /v1.0/contact/orgAccounts/enable.
// https://open.dingtalk.com/document/development/enable-a-dedicated-account
func (s *session) enableAccount() (map[string]any, error) { return s.switchAccount(false) }

// signOutAccount serves /v1.0/contact/orgAccounts/signOut.
// https://open.dingtalk.com/document/development/force-logout-from-dedicated-account
func (s *session) signOutAccount() (map[string]any, error) {
	old, err := s.account()
	if err != nil {
		return nil, err
	}
	u := old.clone()
	u.signOuts++
	s.putUser(u)
	return map[string]any{"result": true}, nil
}

// accountStatus serves /v1.0/contact/orgAccounts/status.
// https://open.dingtalk.com/document/development/query-dedicated-account-status-1
func (s *session) accountStatus() (map[string]any, error) {
	u, err := s.account()
	if err != nil {
		return nil, err
	}
	return map[string]any{"disable": u.disabled}, nil
}

// accept lets an invited person join, or one who was not active yet come alive.
func (t *tenant) accept(id string) error {
	if inv, ok := t.invited[id]; ok {
		u := inv.user.clone()
		u.modified = t.clock.Now()
		if err := t.stillFits(u); err != nil {
			return err
		}
		for i := range u.depts {
			u.depts[i].joined = u.modified
		}
		t.uninvite(id)
		t.join(u)
		return nil
	}
	old, ok := t.users.Get(id, core.Live)
	if !ok {
		return core.ErrNotFound
	}
	u := old.clone()
	u.active, u.modified = true, t.clock.Now()
	t.putUser(u)
	return nil
}

// stillFits checks an invitation again: the organisation may have changed since.
func (t *tenant) stillFits(u *user) error {
	if _, taken := t.users.Get(u.id, core.Live); taken {
		return refuse(codeUserIDExists)
	}
	for _, m := range u.depts {
		if _, ok := t.depts.Get(key(m.dept), core.Live); !ok {
			return refuse(codeNoDept)
		}
	}
	return t.unique(u)
}
