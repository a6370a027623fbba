package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/review"
)

// reviews writes all reviews of a period, for auditors.
func reviews(ctx context.Context, args []string, out io.Writer, now time.Time) error {
	flags := newFlags("reviews", out)
	var at target
	at.register(flags)
	from := flags.String("from", "", "first day of the period, as YYYY-MM-DD, or a moment as RFC 3339")
	to := flags.String("to", "", "day or moment before which the period ends; empty is now")
	format := flags.String("o", "csv", "csv or json")
	names, err := parse(flags, args)
	if err != nil {
		return err
	}
	period, err := periodOf(*from, *to, now)
	switch {
	case err != nil:
		return err
	case len(names) > 0:
		return fmt.Errorf("reviews takes no name, and %q is one", names[0])
	case *format != "csv" && *format != "json":
		return fmt.Errorf("-o %s: write csv or json", *format)
	}
	c, err := connect(at)
	if err != nil {
		return err
	}
	all, err := c.reviewRecords(ctx)
	if err != nil {
		return err
	}
	report := review.NewReport(period, now, all)
	if *format == "json" {
		return report.JSON(out)
	}
	return report.CSV(out)
}

func periodOf(from, to string, now time.Time) (p review.Period, err error) {
	if from == "" {
		return p, errors.New("--from: say when the period begins, e.g. --from 2036-01-01")
	}
	if p.From, err = momentOf(from); err != nil {
		return p, fmt.Errorf("--from: %w", err)
	}
	if p.To = now; to != "" {
		if p.To, err = momentOf(to); err != nil {
			return p, fmt.Errorf("--to: %w", err)
		}
	}
	if !p.From.Before(p.To) {
		return p, errors.New("--from must be before --to")
	}
	return p, nil
}

func momentOf(text string) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q is neither YYYY-MM-DD nor RFC 3339", text)
	}
	return at, nil
}

// reviewRecords are all reviews of the namespace that were asked and not withdrawn.
func (c *cluster) reviewRecords(ctx context.Context) ([]review.Record, error) {
	var approvals v1alpha1.ApprovalList
	var bindings v1alpha1.PermissionBindingList
	var employees v1alpha1.EmployeeList
	for _, list := range []client.ObjectList{&approvals, &bindings, &employees} {
		if err := c.List(ctx, list, client.InNamespace(c.namespace)); err != nil {
			return nil, fmt.Errorf("listing: %w", err)
		}
	}
	declared, people := map[string]*v1alpha1.PermissionBinding{}, map[string]*v1alpha1.Employee{}
	for i := range bindings.Items {
		declared[bindings.Items[i].Name] = &bindings.Items[i]
	}
	for i := range employees.Items {
		people[string(employees.Items[i].UID)] = &employees.Items[i]
	}
	var all []review.Record
	for i := range approvals.Items {
		if apv := &approvals.Items[i]; apv.Spec.Purpose == v1alpha1.ApprovalReview && apv.Status.State != v1alpha1.ApprovalWithdrawn {
			all = append(all, recordOf(apv, declared, people))
		}
	}
	return all, nil
}

func recordOf(apv *v1alpha1.Approval, declared map[string]*v1alpha1.PermissionBinding, people map[string]*v1alpha1.Employee) review.Record {
	r := review.Record{
		Namespace: apv.Namespace, Account: apv.Spec.AccountName, Review: apv.Name, Digest: apv.Spec.Digest, Asked: apv.CreationTimestamp.Time,
		By: apv.Spec.Decision.By, Reason: apv.Spec.Decision.Reason,
	}
	r.Why = apv.Spec.Summary // it names the role; all that is left when the binding is gone
	b := reviewed(apv, declared, &r)
	if b != nil {
		r.Role, r.Group, r.Risk, r.Why = b.Spec.Role.Name, b.Spec.Role.Group, string(b.Spec.Risk), b.Spec.Reason
		if b.Status.ReviewName == apv.Name && b.Status.ReviewEscalatedTime != nil {
			r.Escalated = b.Status.ReviewEscalatedTime.Time
		}
	}
	r.Verdict, r.Ended = verdictOf(apv, b)
	for _, s := range apv.Spec.Subjects {
		if s.Kind != "Employee" {
			continue
		}
		h := review.Holder{Number: s.Number, LastActive: s.LastActiveDay}
		if r.Verdict != "" {
			h.Lost = new(r.Verdict.Ends() || slices.Contains(apv.Spec.Decision.Except, s.UID))
		}
		if e := people[s.UID]; e != nil {
			for _, a := range e.Status.Accounts {
				if a.Name == apv.Spec.AccountName {
					h.UserID = a.UserID
				}
			}
		}
		r.Holders = append(r.Holders, h)
	}
	return r
}

// reviewed is the binding that a review is about, and which r then names; nil if it is gone. Another
// that has its name by now is another: its role may be, too.
func reviewed(apv *v1alpha1.Approval, declared map[string]*v1alpha1.PermissionBinding, r *review.Record) *v1alpha1.PermissionBinding {
	for _, s := range apv.Spec.Subjects {
		if s.Kind != "PermissionBinding" {
			continue
		}
		r.Binding = s.Name
		uid, _, _ := strings.Cut(s.UID, "/") // and the time for which the review was due
		if b := declared[s.Name]; b != nil && string(b.UID) == uid {
			return b
		}
	}
	return nil
}

// verdictOf is what came of a review, and when. What silence meant is told by the binding as it
// is now, and not told when that is gone.
func verdictOf(apv *v1alpha1.Approval, b *v1alpha1.PermissionBinding) (v review.Verdict, ended time.Time) {
	if at := apv.Status.DecisionTime; at != nil {
		ended = at.Time
	}
	switch apv.Status.State {
	case v1alpha1.ApprovalApproved:
		if len(apv.Spec.Decision.Except) > 0 {
			return review.Narrowed, ended
		}
		return review.Confirmed, ended
	case v1alpha1.ApprovalRejected:
		return review.Revoked, ended
	case v1alpha1.ApprovalExpired:
		ended = apv.Spec.ExpireTime.Time
		switch {
		case b == nil:
		case b.Spec.Review.OnSilence == v1alpha1.SilenceKeep:
			v = review.SilenceKept
		case b.Status.State == v1alpha1.BindingRevoked:
			v = review.SilenceRevoked
		}
		return v, ended
	case v1alpha1.ApprovalPending, v1alpha1.ApprovalWithdrawn:
	}
	return "", time.Time{}
}
