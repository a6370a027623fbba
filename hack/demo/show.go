package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"rollcall.dev/rollcall/test/harness"
)

// firstRows is how much of a long table is shown.
const firstRows = 8

// show prints the tables that an administrator looks at first.
func (d *demo) show(ctx context.Context) error {
	for _, kind := range []string{"ea", "dept", "emp", "ls"} {
		table, err := d.kubectlOutput(ctx, "get", kind, "-n", company)
		if err != nil {
			return err
		}
		rows := strings.Split(strings.TrimRight(table, "\n"), "\n")
		d.out.text("", "$ kubectl get "+kind)
		d.out.text(rows[:min(len(rows), firstRows+1)]...)
		if more := len(rows) - firstRows - 1; more > 0 {
			d.out.text(fmt.Sprintf("… and %d more", more))
		}
	}
	d.out.text("")
	return nil
}

// stayUp says what to try and waits for Ctrl-C.
func (d *demo) stayUp(ctx context.Context) error {
	if err := d.suggest(ctx); err != nil {
		return because(ctx, err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, errInterrupted) {
		return cause
	}
	d.out.text("", "stopping everything")
	return nil
}

// restoreOf is a Restore of one person, as a line of JSON for the shell.
func restoreOf(a account) string {
	return fmt.Sprintf(`'{"apiVersion":"rollcall.dev/v1alpha1","kind":"Restore","metadata":{"name":"undo"},"spec":{"backupRef":{"name":"%s-first"},"select":{"userIDs":["%s"]}}}'`, a.on, a.userID)
}

func (d *demo) suggest(ctx context.Context) error {
	accounts, err := d.accounts(ctx)
	if err != nil {
		return err
	}
	if err := d.kubectl(ctx, "config", "set-context", "--current", "--namespace="+company); err != nil {
		return err
	}
	for _, say := range []func(context.Context) error{d.suggestShell, d.suggestFreeze} {
		if err := say(ctx); err != nil {
			return err
		}
	}
	a := accounts[0]
	d.out.text(
		"Give "+a.name+" another title, and look at the platform:",
		fmt.Sprintf(`  kubectl patch emp %s --type=merge -p '{"spec":{"title":"总监"}}'`, a.person),
		"  curl -s "+a.url,
		"",
		"Change "+a.name+" by hand, as somebody in the platform's console would, and see it heal:",
		fmt.Sprintf(`  curl -s %s -d '{"%s":"%s"}'`, a.url, a.titleField, driftedTitle),
		fmt.Sprintf("  kubectl get emp %s -o wide --watch", a.person),
		"",
		"Give everybody of a department a role, and see who holds what, why, and until when:",
		"  kubectl apply --server-side -k "+filepath.Join(d.root, "config", "samples", "permissions"),
		"  kubectl get pb",
		"",
		"Let somebody leave step by step, with commands that work here as they stand:  "+filepath.Join(d.root, "docs", "leaving.md"),
		"",
		"Delete "+a.name+", as a bad prune would. They lose access where the platform can take it away, and are backed up; see what is waited for:",
		"  kubectl delete emp "+a.person,
		"  kubectl get ob",
		"Declare "+a.name+" again, before somebody has confirmed the hand-over, and it is as if nothing had been:",
		"  kubectl apply --server-side --force-conflicts -k "+filepath.Join(d.root, "config", "samples", "acme"),
		"  kubectl get ob; kubectl get emp "+a.person,
		"",
		"Remove "+a.name+" by hand, as by mistake, and bring the account back from the archive: first what would be done, then do it:",
		"  curl -s -X DELETE "+a.url,
		"  kubectl apply -f - <<< "+restoreOf(a),
		"  kubectl get rst -o wide",
		`  kubectl patch rst undo --type=merge -p '{"spec":{"action":"Execute"}}'`,
		"",
		"Open an archive with stock tools:",
		"  age -d -i "+d.keyFile()+" "+filepath.Join(d.archives(), company, company, a.on)+"/*/*/archive.tar.zst.age | zstd -d | tar t",
		"",
		"See who did what, and that nobody altered the record of it:",
		"  tail -n 2 "+filepath.Join(d.trails(), company, a.on)+"/*.jsonl",
		"  kubectl rollcall audit verify "+filepath.Join(d.trails(), company, a.on),
		"",
		"More that the simulator can do (faults, limits, the log of calls):  curl -s "+d.simulator.ControlURL,
		"Logs: "+d.dir+"/*.log",
		"Ctrl-C ends everything.",
	)
	return nil
}

// suggestShell says how to get at the company.
func (d *demo) suggestShell(context.Context) error {
	kubectl, err := harness.ControlPlaneBinary("kubectl")
	if err != nil {
		return err
	}
	d.out.text(
		"In another terminal:",
		"  export KUBECONFIG="+d.plane.KubeconfigPath(),
		"  export PATH="+filepath.Dir(kubectl)+":"+filepath.Join(d.root, "bin")+":$PATH",
		"",
	)
	return nil
}

// suggestFreeze says how to see what a freeze does in linked systems.
func (d *demo) suggestFreeze(ctx context.Context) error {
	person, err := d.linkedPerson(ctx)
	if err != nil {
		return err
	}
	d.out.text(
		"Freeze "+person.Spec.Name+", who has accounts in linked systems, and look at them there; then give the access back:",
		fmt.Sprintf(`  kubectl patch emp %s --type=merge -p '{"spec":{"state":"Frozen","stateReason":"长期病假"}}'`, person.Name),
		"  kubectl get ls; kubectl rollcall unlinking",
		fmt.Sprintf("  curl -s -H 'Authorization: Bearer %s' http://%s/Users/%s", erpToken, erpAddress, linkID(person, inERP)),
		"  curl -s "+d.doorOf(linkID(person, inDoors)),
		fmt.Sprintf(`  kubectl patch emp %s --type=merge -p '{"spec":{"state":null,"stateReason":null}}'`, person.Name),
		"",
	)
	return nil
}
