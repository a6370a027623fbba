package crd

import (
	"context"
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// rule is one CEL rule, tried. Patches are laid over an object of testdata/full (maps are merged, null removes).
type rule struct {
	name   string
	base   string   // the file in testdata/full
	path   string   // the field that carries the rule; empty: the object
	says   string   // the rule's message, whole
	before string   // for rules about changes: patch of the object that is stored first
	wrong  []string // patches that the rule refuses
	right  []string // their nearest neighbours, which are taken
}

const (
	spaces        = " must not begin or end with a space, nor contain tabs or line breaks"
	wantAccount   = "name: write the metadata.name of the EnterpriseAccount object, e.g. wecom, not its corpID"
	wantDept      = "name: write the metadata.name of the Department object, e.g. rd-platform, not its display name"
	wantEmployee  = "name: write the metadata.name of the Employee object, e.g. zhang-wei, not the person's name or number"
	wantSecret    = "name: write the metadata.name of the Secret object, e.g. wecom-credentials"
	wantRule      = "name: write the metadata.name of the EmployeeNumberRule object, e.g. by-department"
	wantHTTPS     = "write an https:// address; plain http:// is allowed to loopback only, because the credentials travel on it"
	wantNoSlash   = "leave out the slash at the end"
	wantPlainURL  = "leave out user names, questions (?) and fragments (#): an endpoint is only a scheme, a host and perhaps a path"
	wantCorpID    = "corpID: use letters, digits, _ and - only, as the platform's console shows it"
	wantShortName = "metadata.name: use at most 63 characters"
)

const longName = "a123456789-a123456789-a123456789-a123456789-a123456789-a12345678" // 64 characters

var accountRules = []rule{
	{name: "name length", base: "enterpriseaccount-wecom", says: wantShortName,
		wrong: []string{`metadata: {name: ` + longName + `}`}, right: []string{`metadata: {name: ` + longName[1:] + `}`}},
	{name: "exactly one platform", base: "enterpriseaccount-wecom", path: "spec",
		says:  "set exactly one of dingTalk and weCom: one EnterpriseAccount is one tenant on one platform",
		wrong: []string{`spec: {dingTalk: {corpID: ding1}}`, `spec: {weCom: null}`},
		right: []string{`spec: {weCom: null, dingTalk: {corpID: ding1}}`}},
	{name: "platform stays", base: "enterpriseaccount-wecom", path: "spec", before: `{}`,
		says:  "the platform cannot be changed: create another EnterpriseAccount and list it in spec.accounts of the people and departments",
		wrong: []string{`spec: {weCom: null, dingTalk: {corpID: ding1}}`}, right: []string{`spec: {mode: Observe}`}},
	{name: "DingTalk corpID characters", base: "enterpriseaccount-dingtalk", path: "spec.dingTalk.corpID", says: wantCorpID,
		wrong: []string{`spec: {dingTalk: {corpID: 'ding 1'}}`, `spec: {dingTalk: {corpID: 钉钉企业}}`}, right: []string{`spec: {dingTalk: {corpID: ding-_1}}`}},
	{name: "DingTalk corpID stays", base: "enterpriseaccount-dingtalk", path: "spec.dingTalk.corpID", before: `{}`,
		says:  "corpID cannot be changed: another organisation is another EnterpriseAccount",
		wrong: []string{`spec: {dingTalk: {corpID: ding1}}`}, right: []string{`spec: {dingTalk: {endpoint: 'https://api.dingtalk.io'}}`}},
	{name: "WeCom corpID characters", base: "enterpriseaccount-wecom", path: "spec.weCom.corpID", says: wantCorpID,
		wrong: []string{`spec: {weCom: {corpID: ww1/x}}`}, right: []string{`spec: {weCom: {corpID: ww1_x}}`}},
	{name: "WeCom corpID stays", base: "enterpriseaccount-wecom", path: "spec.weCom.corpID", before: `{}`,
		says:  "corpID cannot be changed: another corporation is another EnterpriseAccount",
		wrong: []string{`spec: {weCom: {corpID: ww11}}`}, right: []string{`spec: {weCom: {numberAttribute: 员工号}}`}},
	{name: "numberAttribute spaces", base: "enterpriseaccount-wecom", path: "spec.weCom.numberAttribute", says: "numberAttribute" + spaces,
		wrong: []string{`spec: {weCom: {numberAttribute: ' 工号'}}`, `spec: {weCom: {numberAttribute: "工\t号"}}`},
		right: []string{`spec: {weCom: {numberAttribute: 工 号}}`}},
	{name: "credentials by object name", base: "enterpriseaccount-wecom", path: "spec.credentialsSecretRef.name", says: wantSecret,
		wrong: []string{`spec: {credentialsSecretRef: {name: WeCom_Credentials}}`, `spec: {credentialsSecretRef: {name: acme/wecom}}`},
		right: []string{`spec: {credentialsSecretRef: {name: wecom.credentials-2}}`}},
	{name: "caBundle is PEM", base: "enterpriseaccount-wecom", path: "spec.caBundle",
		says:  "caBundle must be PEM text that begins with -----BEGIN CERTIFICATE-----",
		wrong: []string{`spec: {caBundle: /etc/ssl/ca.pem}`, `spec: {caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t}`},
		right: []string{`spec: {caBundle: "-----BEGIN CERTIFICATE-----\n"}`}},
	{name: "exit needs a storage", base: "enterpriseaccount-dingtalk", path: "spec.exit", says: "storageRef: name the BackupStorage; nobody leaves a platform without a full backup",
		wrong: []string{`spec: {exit: {mode: Execute, storageRef: null}}`}, right: []string{`spec: {exit: {mode: Execute}}`, `spec: {exit: {storageRef: null}}`}},
	{name: "exit's storage by object name", base: "enterpriseaccount-dingtalk", path: "spec.exit.storageRef.name", says: wantStorage,
		wrong: []string{`spec: {exit: {storageRef: {name: Archives}}}`}, right: []string{`spec: {exit: {storageRef: {name: archives-2}}}`}},
	endpointRule("enterpriseaccount-dingtalk", "dingTalk", "endpoint", wantHTTPS, httpsWrong, httpsRight),
	endpointRule("enterpriseaccount-dingtalk", "dingTalk", "endpoint", wantNoSlash, slashWrong, slashRight),
	endpointRule("enterpriseaccount-dingtalk", "dingTalk", "endpoint", wantPlainURL, plainWrong, plainRight),
	endpointRule("enterpriseaccount-dingtalk", "dingTalk", "legacyEndpoint", wantHTTPS, httpsWrong, httpsRight),
	endpointRule("enterpriseaccount-dingtalk", "dingTalk", "legacyEndpoint", wantNoSlash, slashWrong, slashRight),
	endpointRule("enterpriseaccount-dingtalk", "dingTalk", "legacyEndpoint", wantPlainURL, plainWrong, plainRight),
	endpointRule("enterpriseaccount-wecom", "weCom", "endpoint", wantHTTPS, httpsWrong, httpsRight),
	endpointRule("enterpriseaccount-wecom", "weCom", "endpoint", wantNoSlash, slashWrong, slashRight),
	endpointRule("enterpriseaccount-wecom", "weCom", "endpoint", wantPlainURL, plainWrong, plainRight),
}

var (
	httpsWrong = []string{"http://gateway.example.com", "qyapi.example.com", "127.0.0.1:18201", "http://127.0.0.1.example.com", "http://localhost.example.com", "ftp://127.0.0.1", "http://10.0.0.1:8080"}
	httpsRight = []string{"https://gateway.example.com", "http://127.0.0.1:18201", "http://localhost:18201", "http://[::1]:18201"}
	slashWrong = []string{"https://gateway.example.com/", "https://gateway.example.com/im/"}
	slashRight = []string{"https://gateway.example.com", "https://gateway.example.com/im"}
	plainWrong = []string{"https://user:word@gateway.example.com", "https://gateway.example.com?a=b", "https://gateway.example.com#a"}
	plainRight = []string{"https://gateway.example.com:8443/im/v1"}
)

func endpointRule(base, platform, field, says string, wrong, right []string) rule {
	patch := func(addresses []string) []string {
		var out []string
		for _, a := range addresses {
			out = append(out, `spec: {`+platform+`: {`+field+`: "`+a+`"}}`)
		}
		return out
	}
	return rule{name: platform + " " + field + " " + says[:14], base: base, path: "spec." + platform + "." + field, says: says, wrong: patch(wrong), right: patch(right)}
}

var departmentRules = []rule{
	{name: "name length", base: "department", says: wantShortName,
		wrong: []string{`metadata: {name: ` + longName + `}`}, right: []string{`metadata: {name: ` + longName[1:] + `}`}},
	{name: "own parent", base: "department",
		says:  "parentRef: a department cannot be its own parent; leave parentRef out for a department directly under the company",
		wrong: []string{`spec: {parentRef: {name: rd-platform}}`}, right: []string{`spec: {parentRef: null}`, `spec: {parentRef: {name: rd}}`}},
	{name: "pinned id stays", base: "department", path: "spec", before: `{}`,
		says:  "accounts[].departmentID cannot be changed or removed once set: it is the department's identity on the platform",
		wrong: []string{`spec: {accounts: [{name: wecom, departmentID: "43"}]}`, `spec: {accounts: [{name: wecom}]}`},
		right: []string{`spec: {accounts: [{name: wecom, departmentID: "42"}, {name: dingtalk, departmentID: "7"}]}`, `spec: {accounts: [{name: dingtalk}]}`}},
	{name: "displayName spaces", base: "department", path: "spec.displayName", says: "displayName must not begin or end with a space",
		wrong: []string{`spec: {displayName: ' 研发'}`, `spec: {displayName: '研发 '}`, `spec: {displayName: "研发\u3000"}`, `spec: {displayName: ' '}`},
		right: []string{`spec: {displayName: 研发 一部}`}},
	{name: "displayName characters", base: "department", path: "spec.displayName",
		says: `displayName must not contain \ : * ? " < > | or line breaks: the platforms refuse them`,
		wrong: []string{`spec: {displayName: '研\发'}`, `spec: {displayName: '研:发'}`, `spec: {displayName: '研*发'}`, `spec: {displayName: '研?发'}`,
			`spec: {displayName: '研"发'}`, `spec: {displayName: '研<发'}`, `spec: {displayName: '研>发'}`, `spec: {displayName: '研|发'}`,
			`spec: {displayName: "研\n发"}`, `spec: {displayName: "研\r发"}`, `spec: {displayName: "研\t发"}`},
		right: []string{`spec: {displayName: 研n发r部t}`, `spec: {displayName: 研：发}`, `spec: {displayName: 研发（上海）/一部}`, `spec: {displayName: 'R&D'}`}},
	{name: "code", base: "department", path: "spec.code",
		says:  "code: use upper-case letters and digits only, e.g. RD; it becomes part of employee numbers",
		wrong: []string{`spec: {code: rd}`, `spec: {code: R-D}`, `spec: {code: 研发}`}, right: []string{`spec: {code: RD2}`}},
	{name: "parent by object name", base: "department", path: "spec.parentRef.name", says: wantDept,
		wrong: []string{`spec: {parentRef: {name: 研发中心}}`, `spec: {parentRef: {name: RD}}`}, right: []string{`spec: {parentRef: {name: rd}}`}},
	{name: "managers by object name", base: "department", path: "spec.managers[0].name", says: wantEmployee,
		wrong: []string{`spec: {managers: [{name: 张伟}]}`, `spec: {managers: [{name: A0001}]}`}, right: []string{`spec: {managers: [{name: a0001}]}`}},
	{name: "accounts by object name", base: "department", path: "spec.accounts[0].name", says: wantAccount,
		wrong: []string{`spec: {accounts: [{name: 企业微信}]}`}, right: []string{`spec: {accounts: [{name: we-com}]}`}},
	{name: "departmentID", base: "department", path: "spec.accounts[0].departmentID",
		says:  "departmentID: write the platform's number of the department in quotes, e.g. '42'; '1' is the company itself",
		wrong: []string{`spec: {accounts: [{name: wecom, departmentID: "0"}]}`, `spec: {accounts: [{name: wecom, departmentID: "007"}]}`, `spec: {accounts: [{name: wecom, departmentID: rd}]}`},
		right: []string{`spec: {accounts: [{name: wecom, departmentID: "1"}]}`, `spec: {accounts: [{name: wecom, departmentID: "11"}]}`}},
}

var employeeRules = []rule{
	{name: "name length", base: "employee", says: wantShortName,
		wrong: []string{`metadata: {name: ` + longName + `}`}, right: []string{`metadata: {name: ` + longName[1:] + `}`}},
	{name: "own manager", base: "employee", says: "managerRef: nobody manages themselves; leave managerRef out for whoever leads the company",
		wrong: []string{`spec: {managerRef: {name: zhang-wei}}`}, right: []string{`spec: {managerRef: null}`}},
	{name: "number stays", base: "employee-by-rule", before: `{}`,
		says:  "number cannot be changed once assigned: it is the person's identity (status.number shows it); declare another Employee for another person",
		wrong: []string{`spec: {numberRuleRef: null, number: RD20240002}`}, right: []string{`spec: {numberRuleRef: null, number: RD20240001}`, `spec: {numberRuleRef: {name: another}}`}},
	{name: "one source of the number", base: "employee", path: "spec",
		says:  "set exactly one of number (you know it) and numberRuleRef (an EmployeeNumberRule makes it)",
		wrong: []string{`spec: {numberRuleRef: {name: by-department}}`, `spec: {number: null}`},
		right: []string{`spec: {number: null, numberRuleRef: {name: by-department}}`}},
	{name: "primaryDepartment needed", base: "employee", path: "spec", says: "primaryDepartment: say which of the departments is the main one",
		wrong: []string{`spec: {primaryDepartment: null}`}, right: []string{`spec: {primaryDepartment: null, departments: [{name: rd}]}`}},
	{name: "primaryDepartment listed", base: "employee", path: "spec", says: "primaryDepartment must be one of departments[].name",
		wrong: []string{`spec: {primaryDepartment: sales}`, `spec: {primaryDepartment: sales, departments: [{name: rd}]}`}, right: []string{`spec: {primaryDepartment: rd}`}},
	{name: "pinned id stays", base: "employee", path: "spec", before: `{}`,
		says:  "accounts[].userID cannot be changed or removed once set: it is the person's identity on the platform",
		wrong: []string{`spec: {accounts: [{name: wecom, userID: A0002}]}`, `spec: {accounts: [{name: wecom}]}`},
		right: []string{`spec: {accounts: [{name: wecom, userID: A0001}, {name: dingtalk, userID: manager42}]}`, `spec: {accounts: [{name: dingtalk}]}`}},
	{name: "stateReason", base: "employee", path: "spec", says: "stateReason: say why the person is frozen or has departed; auditors will ask",
		wrong: []string{`spec: {stateReason: null}`, `spec: {stateReason: null, state: Departed}`},
		right: []string{`spec: {state: Departed}`, `spec: {stateReason: null, state: Active}`, `spec: {stateReason: null, state: null}`}},
	{name: "own successor", base: "employee", says: "offboarding.successorRef: nobody takes over from themselves; name somebody who stays",
		wrong: []string{`spec: {offboarding: {successorRef: {name: zhang-wei}}}`}, right: []string{`spec: {offboarding: {successorRef: {name: wang-fang}}}`, `spec: {offboarding: null}`}},
	{name: "policy by object name", base: "employee", path: "spec.offboarding.policyRef.name", says: wantPolicy,
		wrong: []string{`spec: {offboarding: {policyRef: {name: 标准}}}`}, right: []string{`spec: {offboarding: {policyRef: {name: standard-2}}}`}},
	{name: "successor by object name", base: "employee", path: "spec.offboarding.successorRef.name", says: wantEmployee,
		wrong: []string{`spec: {offboarding: {successorRef: {name: 李娜}}}`}, right: []string{`spec: {offboarding: {successorRef: {name: li-na-2}}}`}},
	{name: "lastDay", base: "employee", path: "spec.offboarding.lastDay", says: "lastDay: write a day of the calendar as YYYY-MM-DD, e.g. 2026-11-30",
		wrong: []string{`spec: {offboarding: {lastDay: "2026/11/30"}}`, `spec: {offboarding: {lastDay: "2026-11-31"}}`}, right: []string{`spec: {offboarding: {lastDay: "2028-02-29"}}`}},
	{name: "number characters", base: "employee", path: "spec.number",
		says:  "number: use letters, digits and . _ - @ only, beginning with a letter or a digit; it becomes the user id on the platforms",
		wrong: []string{`spec: {number: 'A 1'}`, `spec: {number: -A1}`, `spec: {number: 工号1}`, `spec: {number: A/1}`, `spec: {number: .A1}`},
		right: []string{`spec: {number: 0.A_1-b@c}`}},
	{name: "name spaces", base: "employee", path: "spec.name", says: "name" + spaces,
		wrong: []string{`spec: {name: '张伟 '}`, `spec: {name: ' '}`, `spec: {name: "张\n伟"}`}, right: []string{`spec: {name: Ann O'Hara-张}`}},
	{name: "one kind of contact", base: "employee", path: "spec.contact",
		says:  "set mobile and/or email inline, or secretRef to a Secret with the keys mobile and/or email; not both, not neither",
		wrong: []string{`spec: {contact: {secretRef: {name: a}}}`, `spec: {contact: {mobile: null, email: null}}`, `spec: {contact: {email: null, secretRef: {name: a}}}`},
		right: []string{`spec: {contact: {mobile: null}}`, `spec: {contact: {email: null}}`, `spec: {contact: {mobile: null, email: null, secretRef: {name: a}}}`}},
	{name: "mobile", base: "employee", path: "spec.contact.mobile",
		says: "mobile: write +<country>-<digits> without spaces, e.g. +86-13800001234 or +852-51234567",
		wrong: []string{`spec: {contact: {mobile: "13800001234"}}`, `spec: {contact: {mobile: "+8613800001234"}}`, `spec: {contact: {mobile: "+86-138 0000 1234"}}`,
			`spec: {contact: {mobile: "+86-1380000123"}}`, `spec: {contact: {mobile: "+86-23800001234"}}`, `spec: {contact: {mobile: "+86-12800001234"}}`, `spec: {contact: {mobile: "+086-13800001234"}}`},
		right: []string{`spec: {contact: {mobile: "+86-19800001234"}}`, `spec: {contact: {mobile: "+852-51234567"}}`, `spec: {contact: {mobile: "+1-2025550100"}}`}},
	{name: "email", base: "employee", path: "spec.contact.email", says: "email: write it in lower case, e.g. zhang.wei@example.com",
		wrong: []string{`spec: {contact: {email: Zhang.Wei@example.com}}`, `spec: {contact: {email: zhang.wei@example}}`, `spec: {contact: {email: 张伟@example.com}}`,
			`spec: {contact: {email: 'Zhang <zw@example.com>'}}`, `spec: {contact: {email: 'a@b.cn,c@d.cn'}}`},
		right: []string{`spec: {contact: {email: zhang.wei+im@mail.example.com}}`}},
	{name: "contact by object name", base: "employee-by-rule", path: "spec.contact.secretRef.name", says: wantSecret,
		wrong: []string{`spec: {contact: {secretRef: {name: 陈晨}}}`}, right: []string{`spec: {contact: {secretRef: {name: chen-chen}}}`}},
	{name: "rule by object name", base: "employee-by-rule", path: "spec.numberRuleRef.name", says: wantRule,
		wrong: []string{`spec: {numberRuleRef: {name: '{dept}{seq:4}'}}`}, right: []string{`spec: {numberRuleRef: {name: dept-4}}`}},
	{name: "title spaces", base: "employee", path: "spec.title", says: "title" + spaces,
		wrong: []string{`spec: {title: '工程师 '}`, `spec: {title: "工\t程师"}`}, right: []string{`spec: {title: 工程师 II}`}},
	{name: "workplace spaces", base: "employee", path: "spec.workplace", says: "workplace" + spaces,
		wrong: []string{`spec: {workplace: ' 上海'}`, `spec: {workplace: "上海\n浦东"}`}, right: []string{`spec: {workplace: 上海 浦东}`}},
	{name: "hireDate", base: "employee", path: "spec.hireDate", says: "hireDate: write a day of the calendar as YYYY-MM-DD, e.g. 2024-03-01",
		wrong: []string{`spec: {hireDate: "2024/03/01"}`, `spec: {hireDate: "2023-02-29"}`, `spec: {hireDate: "01-03-2024"}`, `spec: {hireDate: "2024-3-001"}`},
		right: []string{`spec: {hireDate: "2024-02-29"}`}},
	{name: "departments by object name", base: "employee-by-rule", path: "spec.departments[0].name", says: wantDept,
		wrong: []string{`spec: {departments: [{name: 平台研发部}]}`}, right: []string{`spec: {departments: [{name: rd}]}`}},
	{name: "manager by object name", base: "employee", path: "spec.managerRef.name", says: wantEmployee,
		wrong: []string{`spec: {managerRef: {name: 李娜}}`, `spec: {managerRef: {name: Li Na}}`}, right: []string{`spec: {managerRef: {name: li-na-2}}`}},
	{name: "attribute name spaces", base: "employee", path: "spec.attributes[0].name", says: "name" + spaces,
		wrong: []string{`spec: {attributes: [{name: '工位 ', value: A1}]}`}, right: []string{`spec: {attributes: [{name: 工 位, value: A1}]}`}},
	{name: "attribute value spaces", base: "employee", path: "spec.attributes[0].value", says: "value" + spaces,
		wrong: []string{`spec: {attributes: [{name: 工位, value: ' A1'}]}`}, right: []string{`spec: {attributes: [{name: 工位, value: A 1}]}`}},
	{name: "accounts by object name", base: "employee-by-rule", path: "spec.accounts[0].name", says: wantAccount,
		wrong: []string{`spec: {accounts: [{name: WeCom}]}`}, right: []string{`spec: {accounts: [{name: wecom-2}]}`}},
	{name: "userID", base: "employee-by-rule", path: "spec.accounts[0].userID",
		says:  "userID: use letters, digits and . _ - @ only, beginning with a letter or a digit",
		wrong: []string{`spec: {accounts: [{name: wecom, userID: 张伟}]}`, `spec: {accounts: [{name: wecom, userID: _a}]}`},
		right: []string{`spec: {accounts: [{name: wecom, userID: 0@a._-}]}`}},
}

var numberRuleRules = []rule{
	{name: "one sequence", base: "employeenumberrule", path: "spec.pattern",
		says:  "pattern: needs {seq:N} once, N being the number of digits from 1 to 9, e.g. {dept}{yyyy}{seq:4}",
		wrong: []string{`spec: {pattern: '{dept}{yyyy}'}`, `spec: {pattern: '{seq:4}{seq:4}'}`, `spec: {pattern: 'A{seq:0}'}`, `spec: {pattern: 'A{seq:10}'}`, `spec: {pattern: 'AAA{seq}'}`},
		right: []string{`spec: {pattern: '{seq:4}'}`, `spec: {pattern: '{seq:9}'}`}},
	{name: "tokens", base: "employeenumberrule", path: "spec.pattern",
		says:  "pattern: use letters, digits, . _ - and the tokens {dept} {yyyy} {yy} {mm} {seq:N} only, beginning with a letter, a digit or a token",
		wrong: []string{`spec: {pattern: '{dep}{seq:4}'}`, `spec: {pattern: '-{seq:4}'}`, `spec: {pattern: '工{seq:4}'}`, `spec: {pattern: '{DEPT}{seq:4}'}`, `spec: {pattern: '{{seq:4}'}`},
		right: []string{`spec: {pattern: 'A.b_c-{dept}{yyyy}{yy}{mm}{seq:4}x'}`}},
	{name: "range direction", base: "employeenumberrule", path: "spec", says: "ranges: start must not be greater than end",
		wrong: []string{`spec: {ranges: [{start: 10, end: 9}]}`}, right: []string{`spec: {ranges: [{start: 10, end: 10}]}`}},
	{name: "range overlap", base: "employeenumberrule", path: "spec", says: "ranges must not overlap: a number would be assigned twice",
		wrong: []string{`spec: {ranges: [{start: 1, end: 10}, {start: 10, end: 20}]}`, `spec: {ranges: [{start: 5, end: 6}, {start: 1, end: 10}]}`, `spec: {ranges: [{start: 1, end: 2}, {start: 1, end: 2}]}`},
		right: []string{`spec: {ranges: [{start: 11, end: 20}, {start: 1, end: 10}]}`}},
	{name: "range digits", base: "employeenumberrule", path: "spec", says: "ranges: end has more digits than {seq:N} of the pattern holds",
		wrong: []string{`spec: {ranges: [{start: 1, end: 10000}]}`, `spec: {pattern: 'A{seq:3}'}`}, right: []string{`spec: {ranges: [{start: 1, end: 9999}]}`, `spec: {pattern: 'A{seq:5}'}`}},
	{name: "ranges in use", base: "employeenumberrule", before: `{}`,
		says: "ranges: this rule has assigned numbers, and other ranges would assign some of them again; lengthen the last range or append ranges, or write another EmployeeNumberRule",
		wrong: []string{`spec: {ranges: null}`, `spec: {ranges: [{start: 6000, end: 6999}, {start: 1, end: 4999}]}`, `spec: {ranges: [{start: 1, end: 5000}, {start: 6000, end: 6999}]}`,
			`spec: {ranges: [{start: 1, end: 4999}]}`, `spec: {ranges: [{start: 1, end: 4999}, {start: 6000, end: 6998}]}`, `spec: {ranges: [{start: 5000, end: 5001}, {start: 1, end: 4999}, {start: 6000, end: 6999}]}`},
		right: []string{`spec: {ranges: [{start: 1, end: 4999}, {start: 6000, end: 7999}]}`, `spec: {ranges: [{start: 1, end: 4999}, {start: 6000, end: 6999}, {start: 5000, end: 5999}]}`, `spec: {pattern: '{dept}{seq:4}'}`}},
	{name: "ranges in use, none before", base: "employeenumberrule", before: `spec: {ranges: null}`,
		says:  "ranges: this rule has assigned numbers, and other ranges would assign some of them again; lengthen the last range or append ranges, or write another EmployeeNumberRule",
		wrong: []string{`spec: {ranges: [{start: 1, end: 10}]}`}, right: []string{`spec: {reserved: [RD20248888]}`}},
	{name: "ranges before use", base: "employeenumberrule", before: `status: {sequences: null}`,
		right: []string{`spec: {ranges: [{start: 100, end: 200}]}`, `spec: {ranges: null}`}},
}

var allRules = map[string][]rule{
	"EnterpriseAccount": accountRules, "Department": departmentRules, "Employee": slices.Concat(employeeRules, linkedRules), "EmployeeNumberRule": numberRuleRules,
	"BackupStorage": storageRules, "BackupSchedule": scheduleRules, "Backup": backupRules, "Restore": restoreRules,
	"OffboardingPolicy": policyRules, "Offboarding": offboardingRules, "Approval": approvalRules,
	"PermissionBinding": bindingRules, "LinkedSystem": systemRules,
}

func TestRules(t *testing.T) {
	objects := full(t)
	for kind, rules := range allRules {
		for _, r := range rules {
			t.Run(kind+"/"+r.name, func(t *testing.T) {
				if objects[r.base] == nil || objects[r.base].GetKind() != kind {
					t.Fatalf("testdata/full has no %s called %s", kind, r.base)
				}
				tryRule(t, namespace(t), objects[r.base], r)
			})
		}
	}
}

func tryRule(t *testing.T, ns string, base *unstructured.Unstructured, r rule) {
	t.Helper()
	send := api.create
	if r.before != "" {
		base = api.store(t, ns, patched(t, base, r.before))
		send = func(ctx context.Context, ns string, o *unstructured.Unstructured) error {
			return api.update(ctx, ns, o)
		}
	}
	for _, patch := range r.wrong {
		if err := refusal(send(t.Context(), ns, patched(t, base, patch)), r.path, r.says); err != nil {
			t.Errorf("with %s: %v", patch, err)
		}
	}
	for _, patch := range r.right {
		if err := send(t.Context(), ns, patched(t, base, patch)); err != nil {
			t.Errorf("with %s: %v", patch, err)
		}
	}
}

func patched(t *testing.T, o *unstructured.Unstructured, patch string) *unstructured.Unstructured {
	t.Helper()
	o = o.DeepCopy()
	merge(o.Object, object(t, patch).Object)
	return o
}

// Nobody writes a rule without a row in the tables above, and no row outlives its rule.
func TestEveryRuleIsTried(t *testing.T) {
	type key struct{ kind, path, says string }
	tried, there := map[key]bool{}, map[key]bool{}
	for kind, rules := range allRules {
		for _, r := range rules {
			if r.says != "" {
				tried[key{kind, r.path, r.says}] = true
			}
		}
	}
	for kind, crd := range crds(t) {
		walk("", schemaOf(crd), func(path string, s *apiextensionsv1.JSONSchemaProps) {
			for _, v := range s.XValidations {
				if v.Message == "" {
					t.Errorf("%s %s: the rule %s has no message", kind, path, v.Rule)
				}
				there[key{kind, path, v.Message}] = true
			}
		})
	}
	for k := range there {
		if !tried[k] {
			t.Errorf("no test tries the rule of %s %s that says %q", k.kind, k.path, k.says)
		}
	}
	for k := range tried {
		if !there[k] {
			t.Errorf("there is no rule of %s %s that says %q", k.kind, k.path, k.says)
		}
	}
}
