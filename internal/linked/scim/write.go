package scim

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// attempts at a write that is guarded by a version, each after reading anew.
const attempts = 3

// Create makes an account. There is no idempotency key in SCIM: what becomes of a POST
// that is not answered, Find tells.
func (s *System) Create(ctx context.Context, w linked.Wish, _ linked.Order) (linked.Account, error) {
	q := &request{operation: "users/create", method: http.MethodPost, path: "/Users", collection: true, limit: maxAccount}
	r := resource{"userName": w.Login, "active": true}
	if w.Number != "" {
		r["externalId"] = w.Number
	}
	_, r, err := s.changes(r, w.Attributes, s.known(ctx))
	if err != nil {
		return linked.Account{}, err
	}
	declareSchemas(r, s.attributes)
	q.body = r
	body, err := s.client.do(ctx, q)
	if e, ok := directoryError(err); ok && said(err).status == http.StatusConflict {
		return linked.Account{}, s.taken(ctx, w, e)
	}
	if err != nil {
		return linked.Account{}, err
	}
	made, id, ok := parse(body)
	if !ok {
		return linked.Account{}, incomprehensible(q, "the answer is not a resource of SCIM")
	}
	// Whoever says only an id could mean anybody's.
	if !hasLogin(made, w.Login) && (w.Number == "" || numberOf(made) != w.Number) {
		return linked.Account{}, incomprehensible(q, "the answer is about another account than the one that was to be made")
	}
	// Some answer a creation with the account that has the login already.
	if number := numberOf(made); w.Number != "" && number != "" && !hasNumber(made, w.Number) && !strings.EqualFold(number, w.Number) {
		return linked.Account{}, &directory.Error{Class: directory.AlreadyExists, Operation: q.operation, Holder: id,
			Message: "the login is taken: the system answers with an account that carries another employee number"}
	}
	return s.account(id, made), nil
}

// taken finds out who has what a new account was to have. scimType may be missing: the
// status is enough. A filter that minds the case may find nobody: then all are read.
func (s *System) taken(ctx context.Context, w linked.Wish, e *directory.Error) error {
	found, all, err := s.find(ctx, w.Number, w.Login)
	if err == nil && len(found) == 0 && !all {
		found, err = s.search(ctx, w.Number, w.Login)
	}
	if err != nil {
		return e // that nothing was created is certain; by whom it is held is not
	}
	if i := slices.IndexFunc(found, func(r resource) bool { return hasLogin(r, w.Login) }); i >= 0 {
		e.Class, e.Message, e.Holder = directory.AlreadyExists, "the login is taken", found[i].text("id")
		return e
	}
	if len(found) > 0 {
		e.Message, e.Holder = "another account has the employee number", found[0].text("id")
	}
	return e
}

// Update writes the attributes of w that the account does not have yet, and the login
// if w has one. Attributes that the system refuses are named in the error; the others
// are written.
func (s *System) Update(ctx context.Context, id string, w linked.Wish, _ linked.Order) error {
	f := s.known(ctx)
	return s.guarded(ctx, id, f, func(r resource, version string) error {
		changed, after, err := s.changes(r, w.Attributes, f)
		if err != nil {
			return err
		}
		renamed := w.Login != "" && !hasLogin(r, w.Login)
		switch {
		case len(changed) == 0 && !renamed:
			return nil
		case f.writes == Put:
			if renamed {
				after[after.key("userName")] = w.Login
			}
			return s.put(ctx, id, after, version)
		}
		if err := s.patchAttributes(ctx, id, version, f, changed, r, after); err != nil || !renamed {
			return err
		}
		// On its own: AWS takes nothing beside a change of userName.
		return s.patch(ctx, id, "", s.replace(f, "userName", w.Login))
	})
}

// guarded reads an account and writes it, again if somebody else wrote it in between.
func (s *System) guarded(ctx context.Context, id string, f *facts, write func(r resource, version string) error) error {
	for try := 1; ; try++ {
		r, err := s.read(ctx, id)
		if err != nil {
			return err
		}
		version := ""
		if f.etags {
			version = r.version()
		}
		err = write(r, version)
		if version == "" || said(err).status != http.StatusPreconditionFailed || try == attempts {
			return err
		}
	}
}

// patchAttributes writes all changes at once. If the system refuses one of them it does
// not say which: then they are written one by one, and those that it refuses are named.
func (s *System) patchAttributes(ctx context.Context, id, version string, f *facts, changed []attribute, r, after resource) error {
	if len(changed) == 0 {
		return nil
	}
	if f.writes == PatchWithoutPath {
		return s.patch(ctx, id, version, pathless(changed, r, after)...)
	}
	all := operations(changed, after)
	err := s.patch(ctx, id, version, all...)
	if !refusesAttribute(err) {
		return err
	}
	var names []string
	var why error
	for _, o := range all {
		if len(all) > 1 {
			err = s.patch(ctx, id, "", o)
		}
		switch {
		case refusesAttribute(err):
			names, why = append(names, o.Path), err
		case err != nil:
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	e, _ := directoryError(why)
	e.Message = "the system does not take " + strings.Join(names, ", ") + ": " + e.Message
	return e
}

func refusesAttribute(err error) bool {
	r := said(err)
	return r.status == http.StatusBadRequest && slices.Contains([]string{"", "mutability", "invalidPath", "noTarget", "invalidValue"}, r.kind)
}

// replace is a change of one attribute, in the way of the system.
func (s *System) replace(f *facts, name string, value any) operation {
	if f.writes == PatchWithoutPath {
		return operation{Op: opReplace, Value: map[string]any{name: value}}
	}
	return operation{Op: opReplace, Path: name, Value: value}
}

func (s *System) patch(ctx context.Context, id, version string, changes ...operation) error {
	q, err := item("users/patch", http.MethodPatch, "/Users", id)
	if err != nil {
		return err
	}
	q.body, q.version = patchOf(changes...), version
	return s.write(ctx, q, id)
}

// put writes a whole account: what is left out may be cleared (RFC 7644 §3.5.1), so all
// that was read goes back, but what the system keeps by itself.
func (s *System) put(ctx context.Context, id string, r resource, version string) error {
	q, err := item("users/put", http.MethodPut, "/Users", id)
	if err != nil {
		return err
	}
	if enabled, told := r.active(); told {
		r[r.key("active")] = enabled // never as text, as some tell it
	}
	delete(r, r.key("meta"))
	delete(r, r.key("groups"))
	declareSchemas(r, s.attributes)
	q.body, q.version = r, version
	return s.write(ctx, q, id)
}

// write makes a change. 200 with the resource and 204 without are both success; an
// answer about another one, or one that is not JSON, is none.
func (s *System) write(ctx context.Context, q *request, id string) error {
	body, err := s.client.do(ctx, q)
	if err != nil || len(strings.TrimSpace(string(body))) == 0 {
		return err
	}
	var got struct{ ID *identifier }
	if json.Unmarshal(body, &got) != nil {
		return incomprehensible(q, "the answer is not one of SCIM")
	}
	if got.ID != nil && string(*got.ID) != id {
		return incomprehensible(q, "the answer is about another one than was written")
	}
	return nil
}

// Disable writes active false and reads it back. Where disabling removes, a missing
// account afterwards is what was wanted.
func (s *System) Disable(ctx context.Context, id string, o linked.Order) error {
	return s.setActive(ctx, id, false, o)
}

// Enable writes active true and reads it back.
func (s *System) Enable(ctx context.Context, id string, o linked.Order) error {
	return s.setActive(ctx, id, true, o)
}

// setActive is never guarded by a version in a PATCH: it is right whatever else has
// changed, and must not lose against somebody who writes all the time.
func (s *System) setActive(ctx context.Context, id string, active bool, o linked.Order) error {
	f := s.known(ctx)
	var err error
	if f.writes == Put {
		err = s.guarded(ctx, id, f, func(r resource, version string) error {
			r[r.key("active")] = active
			return s.put(ctx, id, r, version)
		})
	} else {
		err = s.patch(ctx, id, "", s.replace(f, "active", active))
	}
	if err != nil {
		return err
	}
	return s.confirm(ctx, id, active, o)
}

// confirm reads back what setActive wrote: an answer of success proves nothing. Groups that cannot be read make no
// failure of a change that was seen: then nobody is told what was.
func (s *System) confirm(ctx context.Context, id string, active bool, o linked.Order) error {
	r, err := s.read(ctx, id)
	if directory.ClassOf(err) == directory.NotFound && !active && s.options.Disabling == Removes {
		return nil
	}
	if err != nil {
		// The write was answered; reading it back failed. Nobody may take that for done.
		return err
	}
	enabled, told := r.active()
	switch {
	case !active && !told:
		return &directory.Error{Class: directory.NotSupported, Operation: "users/patch",
			Message: "the system does not tell whether an account is active: look there whether it is disabled"}
	case enabled != active:
		return &directory.Error{Class: directory.Unavailable, Operation: "users/patch",
			Message: "the system took the change of active and did not make it"}
	}
	if o.Saw == nil {
		return nil
	}
	if a, err := s.whole(ctx, id, r); err == nil {
		o.Saw(a)
	}
	return nil
}

// Delete removes the account. Some systems (Slack) only disable it then: Residuals tells.
func (s *System) Delete(ctx context.Context, id string, _ linked.Order) error {
	q, err := item("users/delete", http.MethodDelete, "/Users", id)
	if err != nil {
		return err
	}
	return s.write(ctx, q, id)
}

// Unlink takes the account out of all groups. SCIM has no place for departed accounts.
func (s *System) Unlink(ctx context.Context, id string, _ linked.Order) error {
	r, err := s.read(ctx, id)
	if err != nil {
		return err
	}
	f := s.known(ctx)
	if !f.groups {
		return nil
	}
	in, err := s.memberships(ctx, id, r)
	if err != nil || len(in) == 0 {
		return err
	}
	if !f.groupWrites {
		return &directory.Error{Class: directory.NotSupported, Operation: "groups/put",
			Message: "take the account out of its groups by hand, or set groups to Yes if the system always lists all members of a group"}
	}
	var failed error
	tooLong := s.patience("groups/patch")
	for _, group := range in {
		if err := tooLong(); err != nil {
			return err
		}
		err := s.removeMember(ctx, group, id, f)
		if err != nil && !concernsOne(err) {
			return err
		}
		if failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return failed
	}
	return s.proveOut(ctx, id)
}

// concernsOne: an error of one group, which does not keep the others.
func concernsOne(err error) bool {
	switch directory.ClassOf(err) {
	case directory.Invalid, directory.Conflict, directory.PermissionDenied, directory.NotSupported:
		return true
	}
	return false
}

// proveOut reads once more which groups the account is in.
func (s *System) proveOut(ctx context.Context, id string) error {
	r, err := s.read(ctx, id)
	if err != nil {
		return err
	}
	left, err := s.memberships(ctx, id, r)
	if err == nil && len(left) > 0 {
		err = &directory.Error{Class: directory.Unavailable, Operation: "groups/patch",
			Message: "the system took the removal from groups and did not make it"}
	}
	return err
}

// Residuals reads the account and the groups again.
func (s *System) Residuals(ctx context.Context, id string, deleted bool) ([]string, error) {
	r, err := s.read(ctx, id)
	if err != nil && directory.ClassOf(err) != directory.NotFound {
		return nil, err
	}
	var left []string
	if err == nil {
		enabled, told := r.active()
		switch {
		case !told:
			left = append(left, "the account: the system does not tell whether it is disabled")
		case enabled:
			left = append(left, "the account is enabled")
		case deleted:
			left = append(left, "the account is still there, disabled")
		}
	}
	if !s.known(ctx).groups {
		return left, nil
	}
	in, err := s.memberships(ctx, id, r)
	if err != nil {
		return nil, err
	}
	for _, group := range in {
		left = append(left, "a membership in the group "+group)
	}
	return left, nil
}
