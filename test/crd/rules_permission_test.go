package crd

const (
	asApproved = "of a High risk, somebody approved where the role reaches and how long: risk and scopeRefs stay, and expiresAt may only come earlier. Make another PermissionBinding"
	roleStays  = "role cannot be changed, but for its creation: make another PermissionBinding"
)

var bindingRules = []rule{
	{name: "name", base: "permissionbinding", says: wantShortName,
		wrong: []string{`metadata: {name: ` + longName + `}`}, right: []string{`metadata: {name: ` + longName[1:] + `}`}},
	{name: "account stays", base: "permissionbinding", path: "spec.accountRef", before: `{}`, says: "accountRef cannot be changed: make another PermissionBinding",
		wrong: []string{`spec: {accountRef: {name: wecom}}`}, right: []string{`spec: {reason: x}`}},
	{name: "role stays", base: "permissionbinding", path: "spec.role", before: `{}`, says: roleStays,
		wrong: []string{`spec: {role: {name: 付款员}}`, `spec: {role: {group: null}}`, `spec: {role: {group: 人事}}`, `spec: {role: {kind: Administrator, group: null, creation: null}, scopeRefs: null}`},
		right: []string{`spec: {role: {creation: Never}}`, `spec: {role: {creation: null}}`}},
	{name: "a window", base: "permissionbinding", path: "spec", says: "expiresAt must be after notBefore",
		wrong: []string{`spec: {expiresAt: "2026-03-01T01:00:00Z"}`, `spec: {expiresAt: "2026-02-01T01:00:00Z"}`}, right: []string{`spec: {expiresAt: "2026-03-01T01:00:01Z"}`, `spec: {notBefore: null}`}},
	{name: "notices of an end", base: "permissionbinding", path: "spec", says: "noticeBeforeHours goes with expiresAt: leave it out for a binding without an end",
		wrong: []string{`spec: {expiresAt: null}`}, right: []string{`spec: {expiresAt: null, noticeBeforeHours: null}`, `spec: {noticeBeforeHours: null}`}},
	{name: "scope of administrators", base: "binding-administrators", path: "spec", says: "scopeRefs: an administrator's scope is set in the platform's console; leave it out",
		wrong: []string{`spec: {scopeRefs: [{name: rd}]}`}, right: []string{`spec: {scopeRefs: [{name: rd}], role: {kind: Role}}`}},
	{name: "high risk ends", base: "permissionbinding", path: "spec", says: "a High risk needs an end (expiresAt) or a review: rights outlive their reason",
		wrong: []string{`spec: {expiresAt: null, noticeBeforeHours: null, review: null}`},
		right: []string{`spec: {review: null}`, `spec: {expiresAt: null, noticeBeforeHours: null}`, `spec: {expiresAt: null, noticeBeforeHours: null, review: null, risk: Low}`}},
	{name: "what was approved stays", base: "permissionbinding", path: "spec", before: `{}`, says: asApproved,
		wrong: []string{`spec: {risk: Low}`, `spec: {risk: null}`, `spec: {scopeRefs: null}`, `spec: {scopeRefs: [{name: finance}, {name: rd}]}`, `spec: {scopeRefs: [{name: rd}]}`,
			`spec: {expiresAt: "2026-12-31T10:00:01Z"}`, `spec: {expiresAt: null, noticeBeforeHours: null}`},
		right: []string{`spec: {expiresAt: "2026-12-31T09:59:59Z"}`, `spec: {subjects: {matchLabels: null}}`, `spec: {reason: x, review: {intervalDays: 30}}`}},
	{name: "what was approved stays, without an end", base: "permissionbinding", path: "spec", before: `spec: {expiresAt: null, noticeBeforeHours: null, scopeRefs: null}`, says: asApproved,
		wrong: []string{`spec: {risk: Low}`, `spec: {scopeRefs: [{name: finance}]}`}, right: []string{`spec: {expiresAt: "2026-12-31T09:59:59Z"}`}},
	{name: "what nobody approved changes", base: "permissionbinding", path: "spec", before: `spec: {risk: Low}`, says: asApproved,
		right: []string{`spec: {risk: Low, scopeRefs: null, expiresAt: "2027-12-31T10:00:00Z"}`, `spec: {risk: High}`}},
	{name: "administrators are made by nobody", base: "binding-administrators", path: "spec.role", says: "group and creation go with kind: Role",
		wrong: []string{`spec: {role: {creation: Never}}`, `spec: {role: {group: 财务}}`}, right: []string{`spec: {role: {kind: Role, creation: Never, group: 财务}}`}},
	{name: "name of the role", base: "permissionbinding", path: "spec.role.name", says: "name" + spaces,
		wrong: []string{`spec: {role: {name: " 审核员"}}`, `spec: {role: {name: "审核员 "}}`, `spec: {role: {name: "审核\t员"}}`}, right: []string{`spec: {role: {name: "审 核 员"}}`}},
	{name: "group of the role", base: "permissionbinding", path: "spec.role.group", says: "group" + spaces,
		wrong: []string{`spec: {role: {group: " 财务"}}`, `spec: {role: {group: "财务\n"}}`}, right: []string{`spec: {role: {group: "财 务"}}`}},
	{name: "employees by object name", base: "permissionbinding", path: "spec.subjects.employeeRefs[0].name", says: wantEmployee,
		wrong: []string{`spec: {subjects: {employeeRefs: [{name: 陈晨}]}}`}, right: []string{`spec: {subjects: {employeeRefs: [{name: a0001}]}}`}},
	{name: "departments by object name", base: "permissionbinding", path: "spec.subjects.departments[0].name", says: wantDept,
		wrong: []string{`spec: {subjects: {departments: [{name: 财务部}]}}`}, right: []string{`spec: {subjects: {departments: [{name: finance-2}]}}`}},
	{name: "scope by object name", base: "permissionbinding", path: "spec.scopeRefs[0].name", says: wantDept,
		wrong: []string{`spec: {scopeRefs: [{name: 财务部}]}`}, right: []string{`spec: {scopeRefs: [{name: finance-2}]}`}},
	{name: "account by object name", base: "permissionbinding", path: "spec.accountRef.name", says: "name: write the metadata.name of the EnterpriseAccount object, e.g. wecom",
		wrong: []string{`spec: {accountRef: {name: 钉钉}}`}, right: []string{`spec: {accountRef: {name: dingtalk-2}}`}},
	{name: "owner by object name", base: "permissionbinding", path: "spec.ownerRef.name", says: wantEmployee,
		wrong: []string{`spec: {ownerRef: {name: 李娜}}`}, right: []string{`spec: {ownerRef: {name: a0001}}`}},
}
