package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// unlinking lists what leaving would do in linked systems. It changes nothing.
func unlinking(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("unlinking", out)
	var at target
	at.register(flags)
	system := flags.String("system", "", "of this LinkedSystem only")
	selector := flags.String("l", "", "of the Employees with these labels only")
	names, err := parse(flags, args)
	if err != nil {
		return err
	}
	chosen, err := labels.Parse(*selector)
	if err != nil {
		return fmt.Errorf("-l: %w", err)
	}
	c, err := connect(at)
	if err != nil {
		return err
	}
	rows, err := c.unlinkings(ctx, chosen, *system, names)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "EMPLOYEE\tNUMBER\tSYSTEM\tACCOUNT\tSTATE\tLEAVING")
	for _, r := range rows {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.employee, r.number, r.system, r.account, r.state, r.would)
	}
	return table.Flush()
}

// linkRow is one account in one linked system, and what leaving does to it.
type linkRow struct {
	employee, number, system, account, state, would string
}

func (c *cluster) unlinkings(ctx context.Context, chosen labels.Selector, system string, names []string) (rows []linkRow, err error) {
	var employees v1alpha1.EmployeeList
	var systems v1alpha1.LinkedSystemList
	var leavings v1alpha1.OffboardingList
	in := client.InNamespace(c.namespace)
	for list, options := range map[client.ObjectList][]client.ListOption{
		&employees: {in, client.MatchingLabelsSelector{Selector: chosen}}, &systems: {in}, &leavings: {in},
	} {
		if err := c.List(ctx, list, options...); err != nil {
			return nil, fmt.Errorf("listing: %w", err)
		}
	}
	declared := map[string]*v1alpha1.LinkedSystem{}
	for i := range systems.Items {
		declared[systems.Items[i].Name] = &systems.Items[i]
	}
	for i := range employees.Items {
		e := &employees.Items[i]
		if len(names) > 0 && !slices.Contains(names, e.Name) {
			continue
		}
		for j := range e.Status.LinkedAccounts {
			if st := &e.Status.LinkedAccounts[j]; system == "" || st.Name == system {
				rows = append(rows, linkRow{
					employee: e.Name, number: e.Status.Number, system: st.Name, account: cmp.Or(st.AccountID, "-"),
					state: string(cmp.Or(st.State, "-")), would: would(e, st, declared[st.Name], leavings.Items),
				})
			}
		}
	}
	return rows, nil
}

// underway says how far an Offboarding is with an account.
func underway(at *v1alpha1.UnlinkStatus, offboarding string) string {
	switch {
	case at.EndTime != nil && at.State == "Done":
		return "unlinked by the Offboarding " + offboarding
	case at.EndTime != nil:
		return fmt.Sprintf("left as it is by the Offboarding %s: %s", offboarding, at.Message)
	case at.Phase == "":
		return fmt.Sprintf("the Offboarding %s has not begun", offboarding)
	}
	return fmt.Sprintf("the Offboarding %s is at %s", offboarding, at.Phase)
}

// would says what leaving does, or is doing, to an account.
func would(e *v1alpha1.Employee, st *v1alpha1.LinkedAccountStatus, ls *v1alpha1.LinkedSystem, leavings []v1alpha1.Offboarding) string {
	for i := range leavings {
		ob := &leavings[i]
		if ob.Spec.EmployeeUID != string(e.UID) || ob.Status.CompletionTime != nil {
			continue
		}
		for _, a := range ob.Status.LinkedAccounts {
			if a.Name == st.Name {
				return underway(&a, ob.Name)
			}
		}
	}
	switch {
	case st.Origin != v1alpha1.OriginCreated && st.Origin != v1alpha1.OriginAdopted, st.State == v1alpha1.LinkedUnlinked:
		return "nothing: there is no account of ours"
	case ls == nil:
		return "a task for a person: there is no such LinkedSystem"
	case ls.Spec.OnLeave == v1alpha1.UnlinkRetain:
		return "nothing: onLeave is Retain"
	case ls.Spec.Mode == v1alpha1.ModeSuspended, ls.Spec.Mode == v1alpha1.ModeObserve:
		return fmt.Sprintf("waits: mode is %s", ls.Spec.Mode)
	case ls.Spec.OnLeave == v1alpha1.UnlinkDelete:
		return "disable, out of its groups, delete"
	}
	return "disable, out of its groups"
}
