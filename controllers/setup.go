// Package controllers holds one reconciler for each kind. They are thin: fetch,
// observe, plan, act, report. They never call a platform themselves; they hand
// plans to the tenants' lanes.
package controllers

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

// Metrics is what the controllers count.
type Metrics interface {
	Observer(account types.NamespacedName) tenant.Observer
	People(account types.NamespacedName, t *tenant.Tenant, people *v1alpha1.PeopleCount)
	// Forget: nothing more is known of the account.
	Forget(account types.NamespacedName)
	// Links says how many accounts a linked system has.
	Links(system types.NamespacedName, count *v1alpha1.LinkedCount)
	Changed(account types.NamespacedName, action plan.Kind)
	Drifted(account types.NamespacedName)
	StorageMetrics
	ScheduleMetrics
	ApprovalMetrics
	QuarantineMetrics
	BindingMetrics
	// Overdue says at which steps an Offboarding takes longer than it may, by account; none when it does nowhere, or is gone.
	Overdue(offboarding types.NamespacedName, steps map[string]v1alpha1.OffboardingStepName)
}

// Dependencies are what the composition root chooses.
type Dependencies struct {
	Platforms []directory.Descriptor
	// Linkers open linked systems, by what the LinkedSystem's status calls the protocol: SCIM, LDAP, Webhook.
	Linkers map[string]Linker
	Now     func() time.Time
	Metrics Metrics
	// Version of the manager, which archives tell; empty if nobody knows.
	Version string
	// RoleBinding is the name of the one that gives the manager its rights in a
	// company; empty if its rights come otherwise.
	RoleBinding string
	// Trail opens the audit trail of an EnterpriseAccount, or of a LinkedSystem, whose name begins with linkedsystem/; nil keeps no records.
	Trail func(account types.NamespacedName) (*audit.Log, error)
	// BackupDirectory is where the volume for local storages is mounted; empty if there is none.
	BackupDirectory string
	// RestoreTest restores an archive into a scratch simulator; nil if that is not possible.
	RestoreTest RestoreTest
	// UncheckedApprovals acts on decisions although no policy of the cluster checked who decided.
	UncheckedApprovals bool
	// Settle is how long nobody may have come or gone before it is asked about those whom an
	// account's removalLimits hold; zero is a few seconds.
	Settle time.Duration
	// Linger is how long an OffboardingPolicy that was deleted stays for those who are deleted with it; zero is half a minute.
	Linger time.Duration
}

// lingerPolicy is longer than a prune takes from a policy to the first of its people. Those who are being deleted keep the
// policy themselves, so the last may be deleted much later.
const lingerPolicy = 30 * time.Second

// settleQuarantine is how long a prune of hundreds takes at most between two of them.
const settleQuarantine = 5 * time.Second

// runsPerAccount is how many archives of one account are made at once, and how many are verified.
const runsPerAccount = 2

// Setup registers all controllers. Tenants run until ctx ends.
func Setup(ctx context.Context, mgr ctrl.Manager, d Dependencies) error {
	if err := SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	platforms := make(map[string]directory.Descriptor, len(d.Platforms))
	for _, p := range d.Platforms {
		platforms[p.Platform] = p
	}
	tenants, systems, hub := tenant.NewRegistry(), tenant.NewGroup[*tenant.Linked](), &Hub{Reader: mgr.GetClient()}
	recorder := mgr.GetEventRecorder("rollcall")
	approvals := &Approvals{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Now: d.Now, Unchecked: d.UncheckedApprovals}
	limiter := &Limiter{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Approvals: approvals, Now: d.Now}
	exits, lasts, tool := jobs.New[struct{}, exitOutcome](ctx, 1), jobs.New[backupProgress, backupOutcome](ctx, 1), strings.TrimSpace("Rollcall "+d.Version)
	leavings, numbers := &Leavings{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Now: d.Now}, &Numbers{Client: mgr.GetClient(), Reader: mgr.GetAPIReader()}
	storages := &Storages{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Directory: d.BackupDirectory}
	all := []reconciler{
		&EnterpriseAccountReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Tenants: tenants, Hub: hub,
			Platforms: platforms, Metrics: d.Metrics, Now: d.Now, Lifetime: ctx,
			Trail: d.Trail, Approvals: approvals, Exits: exits,
		},
		&DepartmentReconciler{Client: mgr.GetClient(), Recorder: recorder, Tenants: tenants, Hub: hub},
		&EmployeeReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Tenants: tenants, Systems: systems, Hub: hub,
			Numbers: numbers, Leavings: leavings, Platforms: platforms, Metrics: d.Metrics, Limiter: limiter,
			Storages: storages, Archives: lasts, Now: d.Now, Tool: tool,
		},
		&EmployeeNumberRuleReconciler{Client: mgr.GetClient(), Recorder: recorder},
		&OffboardingPolicyReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Hub: hub, Now: d.Now, Linger: cmp.Or(d.Linger, lingerPolicy),
		},
	}
	all = append(all, &OffboardingReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Tenants: tenants, Systems: systems, Hub: hub,
		Limiter: limiter, Approvals: approvals, Metrics: d.Metrics, Now: d.Now,
	})
	all = append(all, decisions(mgr, d, recorder, tenants, hub, limiter)...)
	all = append(all, links(ctx, mgr, d, recorder, systems, leavings, hub, limiter)...)
	if d.RoleBinding != "" {
		all = append(all, &GrantReconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader()})
	}
	backups, restores := jobs.New[backupProgress, backupOutcome](ctx, runsPerAccount), jobs.New[restoreProgress, restoreOutcome](ctx, 1)
	all = append(all,
		&BackupReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Tenants: tenants, Hub: hub, Storages: storages,
			Runs: backups, Now: d.Now, Tool: tool,
		},
		&RestoreReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Tenants: tenants, Hub: hub, Storages: storages, Platforms: platforms,
			Runs: restores, Now: d.Now,
		},
	)
	if err := register(mgr, all...); err != nil {
		return err
	}
	for _, wait := range []func(){backups.Wait, restores.Wait, exits.Wait, lasts.Wait} {
		// The manager ends when what writes has ended.
		if err := mgr.Add(manager.RunnableFunc(func(context.Context) error { wait(); return nil })); err != nil {
			return fmt.Errorf("setting up the jobs: %w", err)
		}
	}
	return SetupArchives(ctx, mgr, d, recorder)
}

// links are the controllers of linked systems, and of who is who in them.
func links(ctx context.Context, mgr ctrl.Manager, d Dependencies, recorder events.EventRecorder, systems *Systems, leavings *Leavings, hub *Hub, limiter *Limiter) []reconciler {
	compiled := &mappings{}
	return []reconciler{
		&LinkedSystemReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Systems: systems, Hub: hub, Linkers: d.Linkers,
			Metrics: d.Metrics, Now: d.Now, Trail: d.Trail, Lifetime: ctx, mappings: compiled,
		},
		&LinkReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Systems: systems, Hub: hub, Limiter: limiter,
			Leavings: leavings, Metrics: d.Metrics, Now: d.Now, mappings: compiled,
		},
	}
}

// decisions are the controllers of what humans decide, and of who waits for it: for access that goes, and for rights.
func decisions(mgr ctrl.Manager, d Dependencies, recorder events.EventRecorder, tenants *tenant.Registry, hub *Hub, limiter *Limiter) []reconciler {
	return []reconciler{
		&PermissionBindingReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: recorder, Tenants: tenants, Hub: hub,
			Approvals: limiter.Approvals, Metrics: d.Metrics, Now: d.Now,
		},
		&ApprovalReconciler{Client: mgr.GetClient(), Approvals: limiter.Approvals, Recorder: recorder, Hub: hub, Metrics: d.Metrics, Now: d.Now},
		&QuarantineReconciler{
			Client: mgr.GetClient(), Limiter: limiter, Approvals: limiter.Approvals, Recorder: recorder, Metrics: d.Metrics, Now: d.Now,
			Settle: cmp.Or(d.Settle, settleQuarantine),
		},
	}
}

// SetupArchives registers the controllers of what keeps archives and has them made. They
// export nothing themselves.
func SetupArchives(ctx context.Context, mgr ctrl.Manager, d Dependencies, recorder events.EventRecorder) error {
	storages := &Storages{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Directory: d.BackupDirectory}
	return register(mgr,
		&BackupStorageReconciler{
			Client: mgr.GetClient(), Recorder: recorder, Storages: storages, Metrics: d.Metrics, Now: d.Now,
			Surveys: jobs.New[struct{}, *survey](ctx, 1),
		},
		&BackupScheduleReconciler{
			Client: mgr.GetClient(), Recorder: recorder, Storages: storages, Metrics: d.Metrics, Now: d.Now,
			Test: d.RestoreTest, Tests: jobs.New[*RestoreTested, *RestoreTested](ctx, 1),
		},
	)
}

// reconciler is a controller that can be registered.
type reconciler interface{ SetupWithManager(ctrl.Manager) error }

func register(mgr ctrl.Manager, all ...reconciler) error {
	for _, c := range all {
		if err := c.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("setting up %T: %w", c, err)
		}
	}
	return nil
}
