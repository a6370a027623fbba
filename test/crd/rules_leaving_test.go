package crd

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	wantPolicy   = "name: write the metadata.name of the OffboardingPolicy object, e.g. standard"
	onlyDecision = "only decision can be written: an Approval is about exactly what it lists"
	asItBegan    = "only confirmations can be changed: the rest is how it was when the leaving began"
	sureTasks    = "confirmations can be added, not changed or taken back: what was confirmed was acted upon"
	byRollcall   = "mode: Execute is made by Rollcall alone: declare the person with spec.state: Departed, or delete the Employee; to see what would happen, use mode: Rehearse"
	digestA      = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB      = "baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// termsRules are those of the terms of a leaving: path is where they stand, in a policy or in an Offboarding. Quiet is an
// object without notices, and without anything of the backup.
func termsRules(base, quiet, path string) []rule {
	open, shut := strings.ReplaceAll(path, ".", ": {")+": {", strings.Repeat("}", strings.Count(path, ".")+1)
	in := func(fields ...string) []string {
		var out []string
		for _, f := range fields {
			out = append(out, open+f+shut)
		}
		return out
	}
	return []rule{
		{name: "administrators are told", base: base, path: path, says: "administrators are told by a notice to Administrators: write both, or neither",
			wrong: in(`administrators: null`, `notices: null`, `notices: [{to: Leaver}]`), right: in(`administrators: null, notices: [{to: Leaver}]`, `administrators: null, notices: null`)},
		{name: "skipped notices", base: quiet, path: path, says: "notices: nobody is told while Notify is in skipSteps; leave one of the two out",
			wrong: in(`notices: [{to: Leaver}]`), right: in(`notices: [{to: Leaver}], skipSteps: [HandOver]`, `skipSteps: [Notify, HandOver]`)},
		{name: "fallback", base: base, path: path, says: "successorRef is who takes over by the rule Fallback: write both, or neither",
			wrong: in(`successorRef: null`, `successors: [Named, Manager]`), right: in(`successors: null`, `successors: [Manager], successorRef: null`, `successors: null, successorRef: null`)},
		{name: "early and never", base: base, path: path, says: "unfreezable: with finalAction: Keep no account is removed, early or late; write unfreezable: Keep",
			wrong: in(`finalAction: Keep, unfreezable: RemoveEarly`), right: in(`finalAction: Keep`, `finalAction: Keep, unfreezable: null`, `unfreezable: RemoveEarly`, `finalAction: null, unfreezable: RemoveEarly`)},
		{name: "archives outlive grace", base: base, path: path,
			says:  "backup.expireAfterDays: the archive would go before grace is over, and no account is deleted without one; keep it longer than graceSeconds",
			wrong: in(`graceSeconds: 86400, backup: {expireAfterDays: 1}`, `graceSeconds: null, backup: {expireAfterDays: 7}`),
			right: in(`graceSeconds: 86399, backup: {expireAfterDays: 1}`, `graceSeconds: null, backup: {expireAfterDays: 8}`, `graceSeconds: 31536000, backup: {expireAfterDays: null}`)},
		{name: "grace has its own time", base: base, path: path, says: "timeLimits: Grace takes graceSeconds; leave its limit out",
			wrong: in(`timeLimits: [{step: Freeze, seconds: 1}, {step: Grace, seconds: 1}]`), right: in(`timeLimits: [{step: Freeze, seconds: 1}, {step: DeleteAccount, seconds: 1}]`)},
		{name: "storage of the backup", base: base, path: path + ".backup", says: "storageRef: name the BackupStorage with mode: Required; leave it out with mode: None",
			wrong: in(`backup: {storageRef: null}`, `backup: {mode: None}`), right: in(`backup: {mode: None, storageRef: null, datasets: null, lookbackDays: null, expireAfterDays: null, legalHold: null}`)},
		{name: "nothing of no backup", base: quiet, path: path + ".backup", says: "with mode: None nothing is backed up: leave datasets, lookbackDays, expireAfterDays and legalHold out",
			wrong: in(`backup: {datasets: [Directory]}`, `backup: {lookbackDays: 1}`, `backup: {expireAfterDays: 1}`, `backup: {legalHold: Held}`),
			right: in(`backup: {mode: Required, storageRef: {name: a}, datasets: [Directory], lookbackDays: 1, expireAfterDays: 8, legalHold: Held}`)},
		{name: "storage by object name", base: base, path: path + ".backup.storageRef.name", says: wantStorage,
			wrong: in(`backup: {storageRef: {name: 's3://acme'}}`), right: in(`backup: {storageRef: {name: archives-2}}`)},
		{name: "fallback by object name", base: base, path: path + ".successorRef.name", says: wantEmployee,
			wrong: in(`successorRef: {name: 李娜}`, `successorRef: {name: A0001}`), right: in(`successorRef: {name: a0001}`)},
		{name: "administrators by object name", base: base, path: path + ".administrators[0].name", says: wantEmployee,
			wrong: in(`administrators: [{name: 王芳}]`), right: in(`administrators: [{name: a0002}]`)},
		{name: "placeholders", base: quiet, path: path + ".notices[0].text", says: "text: only {name}, {number}, {account}, {successor} and {date} are known; write {{ for an opening brace",
			wrong: in(notice(`{`), notice(`{person} leaves`), notice(`a {name`), notice(`{Name}`), notice(`{{{`), notice(`{ name }`), notice(`{nu{name}mber}`), notice(`{n{{ame}`), notice("a\n{"), notice(`{{name}{`)),
			right: in(notice(`{name}{number} {account}/{successor}, {date}`), notice(`{{name}`), notice(`{{{name}}}`), notice(`a } b`), notice("一\n{date}\n"))},
		{name: "text says something", base: quiet, path: path + ".notices[0].text", says: "text: write something, or leave text out for Rollcall's own",
			wrong: in(notice(` `), notice("\n\t")), right: in(notice(` x`), `skipSteps: null, notices: [{to: Leaver}]`)},
	}
}

// notice is one with a text.
func notice(text string) string {
	return fmt.Sprintf("skipSteps: null, notices: [{to: Leaver, text: %q}]", text)
}

var policyRules = append([]rule{
	{name: "name length", base: "offboardingpolicy-selected", says: wantShortName,
		wrong: []string{`metadata: {name: ` + longName + `}`}, right: []string{`metadata: {name: ` + longName[1:] + `}`}},
	{name: "labels go with Selected", base: "offboardingpolicy-selected", path: "spec", says: "matchLabels goes with appliesTo: Selected, and only with it",
		wrong: []string{`spec: {appliesTo: Default}`, `spec: {appliesTo: Named}`, `spec: {matchLabels: null}`},
		right: []string{`spec: {appliesTo: Default, matchLabels: null}`, `spec: {appliesTo: Named, matchLabels: null}`}},
	{name: "labels look like labels", base: "offboardingpolicy-selected", path: "spec",
		says:  "matchLabels: no label looks like this; write keys and values as kubectl get emp --show-labels shows them, e.g. team: sales",
		wrong: []string{`spec: {matchLabels: {'team sales': a}}`, `spec: {matchLabels: {'-a': a}}`, `spec: {matchLabels: {team: 销售}}`, `spec: {matchLabels: {team: 'a b'}}`, `spec: {matchLabels: {a/b/c: d}}`},
		right: []string{`spec: {matchLabels: {example.com/Team: S.a_les-1}}`, `spec: {matchLabels: {team: ''}}`}},
}, termsRules("offboardingpolicy-selected", "offboardingpolicy-skips", "spec")...)

var offboardingRules = append([]rule{
	{name: "made by Rollcall", base: "offboarding-rehearsal", path: "spec", says: byRollcall,
		wrong: []string{`spec: {mode: Execute}`, `spec: {mode: Execute, number: A1, trigger: Deleted, terms: {backup: {mode: None}}}`,
			`spec: {mode: Execute, number: A1, trigger: Deleted, accounts: [{name: a, userID: b, origin: Created}]}`,
			`spec: {mode: Execute, number: A1, terms: {backup: {mode: None}}, accounts: [{name: a, userID: b, origin: Created}]}`,
			`spec: {mode: Execute, trigger: Deleted, terms: {backup: {mode: None}}, accounts: [{name: a, userID: b, origin: Created}]}`},
		right: []string{`spec: {mode: Execute, number: A1, trigger: Deleted, terms: {backup: {mode: None}}, accounts: [{name: a, userID: b, origin: Created}]}`}},
	{name: "rehearsed by the policy", base: "offboarding-rehearsal", path: "spec", says: "terms: a rehearsal takes those of the policy that applies to the Employee; leave them out",
		wrong: []string{`spec: {terms: {backup: {mode: None}}}`}, right: []string{`spec: {trigger: Deleted}`}},
	{name: "terms stay", base: "offboarding", path: "spec", before: `{}`,
		says:  "terms cannot be changed: a leaving keeps the terms that it began with; cancel it by declaring the person again",
		wrong: []string{`spec: {terms: {graceSeconds: 0}}`, `spec: {terms: {graceSeconds: null}}`, `spec: {terms: {notices: null, administrators: null}}`}, right: []string{confirmedMore}},
	{name: "terms are not added", base: "offboarding-rehearsal", path: "spec", before: `{}`,
		says:  "terms cannot be changed: a leaving keeps the terms that it began with; cancel it by declaring the person again",
		wrong: []string{`spec: {terms: {backup: {mode: None}}}`}, right: []string{`metadata: {labels: {a: b}}`}},
	{name: "linked accounts alone", base: "offboarding-rehearsal", path: "spec", says: byRollcall,
		wrong: []string{`spec: {mode: Execute, number: A1, trigger: Deleted, terms: {backup: {mode: None}}}`},
		right: []string{`spec: {mode: Execute, number: A1, trigger: Deleted, terms: {backup: {mode: None}}, linkedAccounts: [{name: mail, accountID: b, origin: Created, onLeave: Disable}]}`}},
	{name: "linked accounts stay", base: "offboarding", path: "spec", before: `{}`, says: "linkedAccounts cannot be changed: they are what the person had when the leaving began",
		wrong: []string{`spec: {linkedAccounts: null}`, `spec: {linkedAccounts: [{name: mail, accountID: b, origin: Created, onLeave: Disable}]}`}, right: []string{confirmedMore}},
	{name: "accounts stay", base: "offboarding", path: "spec", before: `{}`, says: "accounts cannot be changed: they are what the person had when the leaving began",
		wrong: []string{`spec: {accounts: [{name: wecom, userID: A0001, origin: Created}]}`, `spec: {accounts: [{name: dingtalk, userID: b, origin: Created}]}`}, right: []string{confirmedMore}},
	{name: "mode and person stay", base: "offboarding", path: "spec", before: `{}`, says: "mode and employeeRef cannot be changed: make another Offboarding",
		wrong: []string{`spec: {mode: Rehearse}`, `spec: {employeeRef: {name: sun-li}}`}, right: []string{confirmedMore}},
	{name: "the rest stays", base: "offboarding", path: "spec", before: `{}`, says: asItBegan,
		wrong: []string{`spec: {employeeUID: x}`, `spec: {number: A0009}`, `spec: {personName: x}`, `spec: {trigger: Deleted}`, `spec: {reason: x}`, `spec: {lastDay: "2026-12-01"}`,
			`spec: {requestedBy: {users: [mallory]}}`, `spec: {policyName: x}`, `spec: {successorName: x}`, `spec: {successorPersonName: x}`,
			`spec: {employeeUID: null}`, `spec: {personName: null}`, `spec: {reason: null}`, `spec: {lastDay: null}`, `spec: {requestedBy: null}`, `spec: {policyName: null}`,
			`spec: {successorName: null}`, `spec: {successorPersonName: null}`},
		right: []string{confirmedMore}},
	{name: "confirmations stay", base: "offboarding", path: "spec", before: `{}`, says: sureTasks,
		wrong: []string{`spec: {confirmations: null}`, `spec: {confirmations: [{task: wecom/HandOver, note: x}]}`, `spec: {confirmations: [{task: wecom/HandOver}]}`, `spec: {confirmations: [{task: dingtalk/HandOver}]}`},
		right: []string{confirmedMore}},
	{name: "first confirmation", base: "offboarding-quiet", before: `{}`, right: []string{`spec: {confirmations: [{task: wecom/HandOver}]}`}},
	{name: "person by object name", base: "offboarding-rehearsal", path: "spec.employeeRef.name", says: wantEmployee,
		wrong: []string{`spec: {employeeRef: {name: A0001}}`}, right: []string{`spec: {employeeRef: {name: a0001}}`}},
}, termsRules("offboarding", "offboarding-quiet", "spec.terms")...)

const confirmedMore = `spec: {confirmations: [{task: dingtalk/HandOver}, {task: wecom/HandOver, note: 日历已转交}]}`

var approvalRules = []rule{
	{name: "what is asked stays", base: "approval", path: "spec", before: `{}`, says: onlyDecision,
		wrong: []string{`spec: {purpose: Departure}`, `spec: {accountName: dingtalk}`, `spec: {accountName: null}`, `spec: {summary: x}`, `spec: {count: 1}`,
			`spec: {subjects: [{uid: 6f1c2f0e-5b0a-4c56-9d0e-1f2a3b4c5d6e, kind: Offboarding, name: chen-chen-1a2b3c4d, number: RD20240001, action: Leave}]}`,
			`spec: {digest: ` + digestB + `}`, `spec: {requesters: null}`, `spec: {requesters: [bob]}`, `spec: {approverGroups: null}`, `spec: {approverGroups: [everybody]}`,
			`spec: {expireTime: "2036-03-09T01:00:00Z"}`},
		right: []string{decidedBy("bob", digestA), `metadata: {labels: {a: b}}`}},
	{name: "nothing is added to what is asked", base: "approval", path: "spec", before: `spec: {requesters: null, approverGroups: null, accountName: null}`, says: onlyDecision,
		wrong: []string{`spec: {accountName: dingtalk}`, `spec: {requesters: [bob]}`, `spec: {approverGroups: [everybody]}`}, right: []string{decidedBy("alice", digestA)}},
	{name: "decided once", base: "approval-decided", path: "spec", before: `{}`, says: "decision: it was decided; a decision is not changed. What is asked again makes another Approval",
		wrong: []string{`spec: {decision: null}`, `spec: {decision: {verdict: Rejected}}`, `spec: {decision: {by: carol}}`, `spec: {decision: {reason: null}}`}, right: []string{`metadata: {labels: {a: b}}`}},
	{name: "decided about this", base: "approval", path: "spec", says: "decision.digest must be spec.digest: decide about what this Approval lists now",
		wrong: []string{decidedBy("bob", digestB)}, right: []string{decidedBy("bob", digestA)}},
	{name: "only an approved review is narrowed", base: "approval-review", path: "spec", says: "decision.except narrows an approved review: leave it out, or reject the review as a whole",
		wrong: []string{`spec: {purpose: Grant}`, `spec: {decision: {verdict: Rejected}}`}, right: []string{`spec: {decision: {except: null, verdict: Rejected}}`, `spec: {decision: {except: [b]}}`}},
}

func decidedBy(user, digest string) string {
	return `spec: {decision: {verdict: Approved, by: ` + user + `, digest: ` + digest + `}}`
}

// P7: the rules hold, and cost no more than the API server spends, where everybody is asked about at once: an Approval of
// 5,000 people with the longest names is decided, and not one of them can be exchanged for another.
func TestP7TheLargestApproval(t *testing.T) {
	ns, base := namespace(t), full(t)["approval"]
	subjects := make([]any, 5000)
	for i := range subjects {
		subjects[i] = map[string]any{
			"uid": fmt.Sprintf("6f1c2f0e-5b0a-4c56-9d0e-%012d", i), "kind": "Offboarding", "action": "Leave",
			"name": fmt.Sprintf("%s-%05d-1a2b3c4d", longName[1:49], i), "number": fmt.Sprintf("RD%048d", i),
			"lastActiveDay": "2026-03-08",
		}
	}
	set(t, base, subjects, "spec", "subjects")
	set(t, base, int64(len(subjects)), "spec", "count")
	stored := api.store(t, ns, base)
	if err := api.update(t.Context(), ns, patched(t, stored, decidedBy("bob", digestA))); err != nil {
		t.Errorf("it cannot be decided: %v", err)
	}
	exchanged := stored.DeepCopy()
	subjects, _, _ = unstructured.NestedSlice(exchanged.Object, "spec", "subjects")
	subjects[4999].(map[string]any)["name"] = "another"
	set(t, exchanged, subjects, "spec", "subjects")
	if err := refusal(api.update(t.Context(), ns, exchanged), onlyDecision); err != nil {
		t.Error(err)
	}
}

func set(t *testing.T, o *unstructured.Unstructured, value any, fields ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(o.Object, value, fields...); err != nil {
		t.Fatal(err)
	}
}
