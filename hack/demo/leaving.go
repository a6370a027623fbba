package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// leave has somebody leave from start to end: the policy, the departure, what a person has to confirm, and what is left.
func (d *demo) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, errTookTooLong)
	defer cancel()
	began := time.Now()
	if err := d.kubectl(ctx, "apply", "--server-side", "-k", filepath.Join("config", "samples", "acme-leaving")); err != nil {
		return err
	}
	who, err := d.leaver(ctx)
	if err != nil {
		return err
	}
	var all []account
	for _, status := range who.Status.Accounts {
		a, err := d.account(ctx, who, status)
		if err != nil {
			return err
		}
		all = append(all, a)
	}
	if err := d.tellUnlinking(ctx, who); err != nil {
		return err
	}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"state":"Departed","stateReason":"合同到期"}}`))
	if err := d.kube.Patch(ctx, who, patch); err != nil {
		return fmt.Errorf("declaring %s departed: %w", who.Name, err)
	}
	d.out.step("leaving", "%s is declared Departed: contract ended", who.Spec.Name)
	ob, err := d.follow(ctx, who.Name, began)
	if err != nil {
		return fmt.Errorf("waiting until %s has left: %w", who.Name, because(ctx, err))
	}
	for _, a := range all {
		if err := a.gone(ctx); err != nil {
			return err
		}
	}
	if err := d.unlinked(ctx, ob); err != nil {
		return fmt.Errorf("%s has left, but %w", who.Name, err)
	}
	d.out.step("left", "%s has no account on %d platforms any more, and cannot sign in to %d linked systems, after %s",
		who.Spec.Name, len(all), len(ob.Spec.LinkedAccounts), seconds(began))
	return d.tellLeaving(ctx, ob)
}

// leaver is somebody with linked accounts whom nobody reports to, who leads nothing, and whom no customer of WeCom knows: it
// takes a day to pass those on.
func (d *demo) leaver(ctx context.Context) (*v1alpha1.Employee, error) {
	var people v1alpha1.EmployeeList
	var units v1alpha1.DepartmentList
	for _, list := range []client.ObjectList{&people, &units} {
		if err := d.kube.List(ctx, list, client.InNamespace(company)); err != nil {
			return nil, fmt.Errorf("looking for somebody who leaves: %w", err)
		}
	}
	needed := map[string]bool{}
	for i := range people.Items {
		needed[people.Items[i].Spec.ManagerRef.Name] = true
	}
	for i := range units.Items {
		for _, m := range units.Items[i].Spec.Managers {
			needed[m.Name] = true
		}
	}
	known, err := d.knownToCustomers(ctx)
	if err != nil {
		return nil, err
	}
	for i := len(people.Items) - 1; i >= 0; i-- {
		if e := &people.Items[i]; !needed[e.Name] && len(e.Status.Accounts) > 1 && !known[e.Status.Number] && isActive(e) && isLinked(e) {
			return e, nil
		}
	}
	return nil, errors.New("looking for somebody who leaves: everybody is needed")
}

// knownToCustomers are the user ids of those whom customers know, or who own chats with them.
func (d *demo) knownToCustomers(ctx context.Context) (map[string]bool, error) {
	tenant := &v1alpha1.EnterpriseAccount{}
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: company, Name: "wecom"}, tenant); err != nil {
		return nil, fmt.Errorf("looking for customers: %w", err)
	}
	name, err := d.tenant(ctx, "wecom", tenant.Spec.WeCom.CorpID)
	if err != nil {
		return nil, err
	}
	var all struct {
		Customers []struct{ UserID string }
		Groups    []struct{ Owner string } // chats with customers
	}
	for _, collection := range []string{"customers", "groups"} {
		if err := call(ctx, http.MethodGet, d.simulator.ControlURL+"/state/wecom/"+url.PathEscape(name)+"/"+collection, nil, &all); err != nil {
			return nil, err
		}
	}
	known := map[string]bool{}
	for _, c := range all.Customers {
		known[c.UserID] = true
	}
	for _, g := range all.Groups {
		known[g.Owner] = true
	}
	return known, nil
}

// follow tells of each step, and confirms what a person would have done by hand.
func (d *demo) follow(ctx context.Context, person string, began time.Time) (*v1alpha1.Offboarding, error) {
	told := map[string]bool{}
	ob := &v1alpha1.Offboarding{}
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var found v1alpha1.OffboardingList
		if err := d.kube.List(ctx, &found, client.InNamespace(company), client.MatchingFields{"spec.employeeRef.name": person}); err != nil {
			return false, fmt.Errorf("looking at the Offboarding: %w", err)
		}
		if len(found.Items) == 0 {
			return false, nil
		}
		ob = &found.Items[0]
		d.out.progress("leaving", "%s, %s, waits for %s · %d s", ob.Status.State, ob.Status.Step, ob.Status.WaitingFor, int(time.Since(began).Seconds()))
		d.tellSteps(ob, told)
		if tasks := openTasks(ob); len(tasks) > 0 {
			return false, d.confirm(ctx, ob, tasks)
		}
		return ob.Status.State == v1alpha1.OffboardingComplete, nil
	})
	if err != nil {
		err = fmt.Errorf("%w: it is %s at %s and waits for %q", err, ob.Status.State, ob.Status.Step, ob.Status.WaitingFor)
	}
	return ob, err
}

// tellSteps says once of each step that is over what was done.
func (d *demo) tellSteps(ob *v1alpha1.Offboarding, told map[string]bool) {
	for _, a := range ob.Status.Accounts {
		for _, s := range a.Steps {
			if key := a.Name + "/" + string(s.Name); s.EndTime != nil && !told[key] {
				told[key] = true
				d.out.step(strings.ToLower(string(s.State)), "%s on %s: %s", s.Name, a.Name, s.Message)
			}
		}
	}
	for _, l := range ob.Status.LinkedAccounts {
		if key := l.Name + "/disabled"; l.DisabledTime != nil && !told[key] {
			told[key] = true
			d.out.step("done", "the account in %s is disabled", l.Name)
		}
		if key := l.Name + "/over"; l.EndTime != nil && !told[key] {
			told[key] = true
			d.out.step(strings.ToLower(string(l.State)), "Unlink from %s: %s (%s)", l.Name, l.Message, l.Evidence)
		}
	}
}

// openTasks are those that nobody has confirmed.
func openTasks(ob *v1alpha1.Offboarding) (open []v1alpha1.ManualTask) {
	for _, a := range ob.Status.Accounts {
		for _, task := range a.Tasks {
			if !slices.ContainsFunc(ob.Spec.Confirmations, func(c v1alpha1.Confirmation) bool { return c.Task == task.Name }) {
				open = append(open, task)
			}
		}
	}
	return open
}

// confirm says that a person has done what no API does.
func (d *demo) confirm(ctx context.Context, ob *v1alpha1.Offboarding, tasks []v1alpha1.ManualTask) error {
	all := ob.Spec.Confirmations
	for _, task := range tasks {
		d.out.step("by hand", "%s: %s", task.Name, task.Todo)
		all = append(all, v1alpha1.Confirmation{Task: task.Name, Note: "done in the demo"})
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"confirmations": all}})
	if err != nil {
		return fmt.Errorf("confirming: %w", err)
	}
	if err := d.kube.Patch(ctx, ob, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		return fmt.Errorf("confirming: %w", err)
	}
	return nil
}

// gone fails if the platform still has the account.
func (a account) gone(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		return fmt.Errorf("%s is still on %s: %s", a.person, a.platform, response.Status)
	}
	return nil
}

// tellUnlinking says what leaving is going to do in linked systems.
func (d *demo) tellUnlinking(ctx context.Context, who *v1alpha1.Employee) error {
	table, err := d.kubectlOutput(ctx, "rollcall", "unlinking", who.Name, "-n", company)
	if err != nil {
		return err
	}
	d.out.text("$ kubectl rollcall unlinking "+who.Name, table)
	return nil
}

func (d *demo) tellLeaving(ctx context.Context, ob *v1alpha1.Offboarding) error {
	for _, args := range [][]string{{"get", "ob", "-n", company}, {"get", "bk", "-n", company, "-l", v1alpha1.OffboardingLabel + "=" + ob.Name}} {
		table, err := d.kubectlOutput(ctx, args...)
		if err != nil {
			return err
		}
		d.out.text("", "$ kubectl "+strings.Join(args, " "), table)
	}
	return nil
}
