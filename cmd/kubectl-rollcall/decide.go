package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// decide shows an Approval, and writes what the caller decides.
func decide(ctx context.Context, command string, args []string, in io.Reader, out io.Writer) error {
	flags := newFlags(command, out)
	var at target
	at.register(flags)
	reason := flags.String("reason", "", "why, for the people who ask later")
	except := flags.String("except", "", "employee numbers, or names of Employees, who lose the role by an approved review; with commas between them")
	yes := flags.Bool("yes", false, "do not ask before it is written")
	names, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return errors.New("name one Approval; kubectl get approvals lists them")
	}
	c, err := connect(at)
	if err != nil {
		return err
	}
	user, err := c.whoami(ctx)
	if err != nil {
		return err
	}
	apv := &v1alpha1.Approval{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: names[0]}, apv); err != nil {
		return fmt.Errorf("reading the Approval: %w", unbound(err, c.namespace, user))
	}
	if err := show(out, apv); err != nil {
		return err
	}
	if by := apv.Spec.Decision.By; by != "" {
		return fmt.Errorf("it was decided: %s by %s", apv.Spec.Decision.Verdict, by)
	}
	decision := v1alpha1.ApprovalDecision{
		Verdict: map[string]v1alpha1.ApprovalVerdict{"approve": v1alpha1.VerdictApproved, "reject": v1alpha1.VerdictRejected}[command],
		By:      user, Digest: apv.Spec.Digest, Reason: *reason,
	}
	narrowed := ""
	if *except != "" {
		if decision.Except, err = exceptions(apv, command, strings.Split(*except, ",")); err != nil {
			return err
		}
		narrowed = fmt.Sprintf(", but for %d of them (%s)", len(decision.Except), *except)
	}
	if !*yes {
		if err := ask(in, out, fmt.Sprintf("%s this%s as %s? Type yes: ", command, narrowed, user)); err != nil {
			return err
		}
	}
	before := apv.DeepCopy()
	apv.Spec.Decision = decision
	if err := c.Patch(ctx, apv, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("writing the decision: %w", unbound(err, c.namespace, user))
	}
	_, err = fmt.Fprintf(out, "%s is %s by %s\n", apv.Name, strings.ToLower(string(decision.Verdict)), user)
	return err
}

// exceptions are the uids of those whom a review lists under these numbers or names, each once.
func exceptions(apv *v1alpha1.Approval, command string, who []string) ([]string, error) {
	if command != "approve" || apv.Spec.Purpose != v1alpha1.ApprovalReview {
		return nil, errors.New("--except goes with approve, and with an Approval of the purpose Review")
	}
	var uids []string
	for _, one := range who {
		one = strings.TrimSpace(one)
		found := ""
		for _, s := range apv.Spec.Subjects {
			if s.Kind == "Employee" && one != "" && (s.Number == one || s.Name == one) {
				if found != "" {
					return nil, fmt.Errorf("--except: %q is the number of one and the name of another: write the number or name that only one has", one)
				}
				found = s.UID
			}
		}
		if found == "" {
			return nil, fmt.Errorf("--except: nobody here has the number or name %q", one)
		}
		if !slices.Contains(uids, found) {
			uids = append(uids, found)
		}
	}
	return uids, nil
}

// unbound adds what to do to a refusal that does not say so: of RBAC. That of a policy does.
func unbound(err error, namespace, user string) error {
	if !apierrors.IsForbidden(err) || strings.Contains(err.Error(), "ValidatingAdmissionPolicy") {
		return err
	}
	return fmt.Errorf("%w; whoever runs the cluster gives the right to decide, best to somebody who may not change people: kubectl create rolebinding approver -n %s --clusterrole=rollcall-approver --user=%s",
		err, namespace, user)
}

// show prints what is asked: everybody whom it lists, and the digest of that.
func show(out io.Writer, apv *v1alpha1.Approval) error {
	s := &apv.Spec
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) }
	_, _ = fmt.Fprintf(table, "%s\n\n", s.Summary)
	told := slices.ContainsFunc(s.Subjects, func(subject v1alpha1.ApprovalSubject) bool { return subject.LastActiveDay != "" })
	line := func(subject v1alpha1.ApprovalSubject, active string) {
		cells := []string{subject.Number, subject.Action, subject.Kind, subject.Name}
		if told { // else the platform does not tell
			cells = append(cells, active)
		}
		row(append(cells, subject.UID)...)
	}
	line(v1alpha1.ApprovalSubject{Number: "NUMBER", Action: "ACTION", Kind: "KIND", Name: "NAME", UID: "UID"}, "LAST ACTIVE")
	for _, subject := range s.Subjects {
		line(subject, subject.LastActiveDay)
	}
	_, _ = fmt.Fprintln(table)
	row("purpose", string(s.Purpose))
	row("account", s.AccountName)
	row("listed", fmt.Sprint(s.Count))
	row("digest", s.Digest)
	row("expires", s.ExpireTime.UTC().Format(time.RFC3339))
	if len(s.Requesters) > 0 {
		row("asked for by", strings.Join(s.Requesters, ", "))
	}
	return table.Flush()
}

// ask wants the answer yes.
func ask(in io.Reader, out io.Writer, question string) error {
	if _, err := io.WriteString(out, question); err != nil {
		return err
	}
	answer, err := bufio.NewReader(in).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return errors.Join(errors.New("nothing was decided"), ignoreEnd(err))
	}
	return nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
