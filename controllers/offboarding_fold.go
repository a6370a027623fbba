package controllers

import (
	"context"
	"fmt"
	"strings"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/leaving"
)

// fold takes over what acts have found or done. What is not durable yet is with the
// platform, too, and found there again.
func (r *OffboardingReconciler) fold(_ context.Context, s *offboardingScope) error {
	for _, a := range s.accounts {
		if a.tenant == nil {
			continue
		}
		o, ok := a.tenant.Lane.Outcome(s.lane)
		if !ok {
			continue
		}
		a.outcome = o
		if o.Left != nil {
			a.fold(o)
		}
	}
	s.foldLinks()
	return nil
}

func (a *departure) fold(o *execute.Outcome) {
	l := o.Left
	switch l.Act {
	case leaving.ActFreeze:
		if directory.ClassOf(o.Err) == directory.NotSupported {
			a.known.freezeLimit = inItsWords(o.Err)
		}
	case leaving.ActRevoke:
		a.foldRoles(o)
	case leaving.ActRestore:
		if o.Err == nil {
			a.restored(l)
		}
	case leaving.ActNotify:
		a.notified(o)
	case execute.ActDelivered:
		a.missed(l)
	case leaving.ActRemove:
		a.foldRemoval(o)
	case leaving.ActInherit:
		a.foldInheritance(o)
	case leaving.ActResidual:
		if l.Read {
			a.known.looked, a.known.residuals = a.scope.now, l.Residuals
		}
	case execute.ActAttest:
		if o.Err == nil {
			a.confirmed(l.Tasks)
		}
	}
}

func (a *departure) foldRemoval(o *execute.Outcome) {
	if o.Left.Removal.Successor != "" && refused(o.Err) {
		a.addTask(byHandOver, leaving.DeleteAccount, "The platform does not hand over: "+inItsWords(o.Err)+". Pass on what the person is responsible for; when this is confirmed, the account is removed without a successor.")
	}
}

func (a *departure) foldInheritance(o *execute.Outcome) {
	switch {
	case o.Err == nil:
		i := o.Left.Inheritance
		a.known.inheritance = &i
		a.step(leaving.HandOver).Evidence = fmt.Sprintf("passed on %d, under way %d, refused %d", i.Done, i.Waiting, i.Refused)
	case refused(o.Err):
		a.addTask(inheritance, leaving.HandOver, "The platform does not pass on what the person leaves behind: "+inItsWords(o.Err))
	}
}

// refused reports that the platform will not do it however often it is asked. A successor that
// it does not take is among that: a leaving keeps the one that it began with.
func refused(err error) bool {
	switch directory.ClassOf(err) {
	case directory.PermissionDenied, directory.NotSupported, directory.Invalid:
		return true
	}
	return false
}

// inItsWords is what the platform's error says; only a directory's own words are known to be safe (P12).
func inItsWords(err error) string { return problemOf(err).Message }

// What an Offboarding can keep of roles; the CRD says so too.
const (
	maxRoles = 200
	maxScope = 50
)

// foldRoles records which roles there are, and which were taken away. Those that are refused become people's
// when all were tried, as none is tried any more after that.
func (a *departure) foldRoles(o *execute.Outcome) {
	l, step := o.Left, a.step(leaving.RevokePermissions)
	if l.Read {
		a.keepRoles(l.Held)
	}
	for _, m := range l.Taken {
		for i := range a.status.Roles {
			if a.status.Roles[i].ID == m.Role {
				a.status.Roles[i].State = v1alpha1.RoleRevoked
			}
		}
	}
	if len(l.Refused) > 0 && o.Err == nil {
		a.addTask(string(leaving.RevokePermissions), leaving.RevokePermissions, "The platform lets no app take these roles away: "+roleIDs(l.Refused)+". Take them away in its console.")
	}
	if l.Read || step.Evidence != "" {
		step.Evidence = kube.Truncate(a.rolesInWords(), 256)
	}
}

// keepRoles keeps the roles that were read. What cannot be kept could not be given back: people take it away.
func (a *departure) keepRoles(held []directory.RoleMember) {
	a.status.Roles = nil
	var more []directory.RoleMember
	for _, m := range held {
		if len(a.status.Roles) == maxRoles || len(m.Scope) > maxScope {
			more = append(more, m)
			continue
		}
		a.status.Roles = append(a.status.Roles, v1alpha1.RevokedRole{ID: m.Role, Scope: m.Scope, State: v1alpha1.RoleHeld, BindingName: a.bound[m.Role]})
	}
	if len(more) > 0 {
		a.addTask(moreRoles, leaving.RevokePermissions, fmt.Sprintf("Rollcall takes away what it can keep, to give it back: %d roles of %d departments each at most. "+
			"%d are left as they are. Take them away in the platform's console: %s.", maxRoles, maxScope, len(more), roleIDs(more)))
	}
}

func roleIDs(roles []directory.RoleMember) string {
	var ids []string
	for _, m := range roles {
		ids = append(ids, m.Role)
	}
	return strings.Join(ids, ", ")
}

func (a *departure) rolesInWords() string {
	taken := len(a.rolesIn(v1alpha1.RoleRevoked))
	return fmt.Sprintf("roles read %d, taken away %d", len(a.status.Roles), taken)
}

// restored forgets the roles: whoever leaves later has them read again.
func (a *departure) restored(l *execute.Left) {
	bound := len(a.status.Roles) - len(a.toRestore())
	a.status.Roles = nil
	step := a.step(leaving.RevokePermissions)
	step.State, step.Evidence, step.EndTime = v1alpha1.StepState(leaving.Pending), "", nil
	step.Message = fmt.Sprintf("gave %d roles back; %d are gone, or may not be given by us", len(l.Given), len(l.Refused))
	if bound > 0 {
		step.Message += fmt.Sprintf("; %d are for their PermissionBindings to give", bound)
	}
}
