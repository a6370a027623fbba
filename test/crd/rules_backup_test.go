package crd

import "strings"

const (
	wantStorage = "name: write the metadata.name of the BackupStorage object, e.g. archives"
	wantBackup  = "name: write the metadata.name of the Backup object, as kubectl get bk shows it"
	wantEA      = "name: write the metadata.name of the EnterpriseAccount object, e.g. wecom"
	oneArchive  = " cannot be changed: one Backup is one archive; create another Backup"
	another     = " cannot be changed: create another Restore"
	copyOver    = " cannot be changed: create another BackupStorage and copy the archives over"
)

// placeRules are those of a place for archives; both places of a BackupStorage have them.
func placeRules(field string) []rule {
	local, s3 := "spec."+field+".local", "spec."+field+".s3"
	in := func(kind string, fields ...string) []string {
		var out []string
		for _, f := range fields {
			out = append(out, `spec: {`+field+`: {`+kind+`: {`+f+`}}}`)
		}
		return out
	}
	bucket := func(says string, addresses ...string) rule {
		var patches []string
		for _, a := range addresses {
			patches = append(patches, `endpoint: "`+a+`"`)
		}
		wrong := map[string][]string{wantHTTPS: httpsWrong, wantNoSlash: slashWrong, wantPlainURL: plainWrong}[says]
		var bad []string
		for _, a := range wrong {
			bad = append(bad, `endpoint: "`+a+`"`)
		}
		return rule{name: field + " endpoint " + says[:14], base: "backupstorage-s3", path: s3 + ".endpoint", says: says, wrong: in("s3", bad...), right: in("s3", patches...)}
	}
	return []rule{
		{name: field + " is one place", base: "backupstorage-local", path: "spec." + field,
			says: "set exactly one of local (a volume of the manager) and s3 (a bucket)",
			wrong: []string{
				`spec: {` + field + `: {s3: {bucket: abc, credentialsSecretRef: {name: a}}}}`,
			},
			right: []string{`spec: {` + field + `: {local: null, s3: {bucket: abc, credentialsSecretRef: {name: a}}}}`}},
		{name: field + " stays", base: "backupstorage-local", path: "spec." + field, before: `{}`, says: "the place of archives" + copyOver,
			wrong: []string{`spec: {` + field + `: {local: null, s3: {bucket: abc, credentialsSecretRef: {name: a}}}}`},
			right: []string{`spec: {probeIntervalSeconds: 60}`}},
		{name: field + " folder", base: "backupstorage-local", path: local + ".folder",
			says:  "folder: write names of lower-case letters, digits, - and _ with / between them, e.g. acme or offsite/acme; it lies under the manager's backup directory",
			wrong: in("local", "folder: /acme", "folder: ../acme", "folder: acme/", "folder: Acme", "folder: a/../b", "folder: ."), right: in("local", "folder: a/b_c-d/e1")},
		{name: field + " folder stays", base: "backupstorage-local", path: local + ".folder", before: `{}`, says: "folder" + copyOver,
			wrong: in("local", "folder: elsewhere"), right: []string{`spec: {probeIntervalSeconds: 60}`}},
		{name: field + " bucket", base: "backupstorage-s3", path: s3 + ".bucket",
			says:  "bucket: write the bucket's name only, e.g. acme-archives, without s3:// and without a path",
			wrong: in("s3", "bucket: 's3://acme'", "bucket: acme/archives", "bucket: Acme", "bucket: acme-"), right: in("s3", "bucket: acme.archives-1")},
		{name: field + " bucket stays", base: "backupstorage-s3", path: s3 + ".bucket", before: `{}`, says: "bucket" + copyOver,
			wrong: in("s3", "bucket: elsewhere"), right: in("s3", "region: cn-beijing", "credentialsSecretRef: {name: other}")},
		{name: field + " prefix", base: "backupstorage-s3", path: s3 + ".prefix",
			says:  "prefix: write names of letters, digits, - and _ with / between them, without a slash at the ends, e.g. rollcall/acme",
			wrong: in("s3", "prefix: /acme", "prefix: acme/", "prefix: a//b", "prefix: ../a"), right: in("s3", "prefix: Rollcall/a_b-c")},
		{name: field + " prefix stays", base: "backupstorage-s3", path: s3 + ".prefix", before: `{}`, says: "prefix" + copyOver,
			wrong: in("s3", "prefix: elsewhere"), right: in("s3", "region: cn-beijing")},
		{name: field + " prefix is not taken away", base: "backupstorage-s3", path: s3, before: `{}`, says: "prefix" + copyOver,
			wrong: in("s3", "prefix: null"), right: in("s3", "region: null")},
		{name: field + " region", base: "backupstorage-s3", path: s3 + ".region", says: "region: write the region's id, e.g. cn-shanghai or ap-guangzhou",
			wrong: in("s3", "region: 上海", "region: CN-Shanghai", "region: oss_cn"), right: in("s3", "region: us-east-1")},
		{name: field + " caBundle", base: "backupstorage-s3", path: s3 + ".caBundle", says: "caBundle must be PEM text that begins with -----BEGIN CERTIFICATE-----",
			wrong: in("s3", "caBundle: /etc/ssl/ca.pem"), right: in("s3", `caBundle: "-----BEGIN CERTIFICATE-----\n"`)},
		{name: field + " credentials", base: "backupstorage-s3", path: s3 + ".credentialsSecretRef.name", says: wantSecret,
			wrong: in("s3", "credentialsSecretRef: {name: Bucket_Key}"), right: in("s3", "credentialsSecretRef: {name: bucket.key-2}")},
		bucket(wantHTTPS, httpsRight...), bucket(wantNoSlash, slashRight...), bucket(wantPlainURL, plainRight...),
	}
}

const elsewhere = "offsite must be another place than location: a copy in the same place is lost with it"

var storageRules = append(append([]rule{
	{name: "name length", base: "backupstorage-local", says: wantShortName,
		wrong: []string{`metadata: {name: ` + longName + `}`}, right: []string{`metadata: {name: ` + longName[1:] + `}`}},
	{name: "offsite is another folder", base: "backupstorage-local", path: "spec", says: elsewhere,
		wrong: []string{`spec: {offsite: {local: {folder: acme}}}`}, right: []string{`spec: {offsite: {local: {folder: acme2}}}`, `spec: {offsite: null}`}},
	{name: "offsite is another bucket", base: "backupstorage-s3", path: "spec", says: elsewhere,
		wrong: []string{`spec: {offsite: {s3: {bucket: acme-archives, endpoint: 'https://oss-cn-shanghai.aliyuncs.com'}}}`,
			`spec: {location: {s3: {endpoint: null}}, offsite: {s3: {bucket: acme-archives, endpoint: null}}}`},
		right: []string{`spec: {offsite: {s3: {bucket: acme-archives}}}`, `spec: {offsite: {s3: {endpoint: 'https://oss-cn-shanghai.aliyuncs.com'}}}`}},
	{name: "identity by object name", base: "backupstorage-local", path: "spec.encryption.identitySecretRef.name", says: wantSecret,
		wrong: []string{`spec: {encryption: {identitySecretRef: {name: AGE-SECRET-KEY-1}}}`}, right: []string{`spec: {encryption: {identitySecretRef: {name: key-2}}}`}},
	{name: "recipients", base: "backupstorage-local", path: "spec.encryption.recipients",
		says: "recipients: write public keys as age-keygen prints them, age1 and 58 letters and digits; a secret key (AGE-SECRET-KEY-1…) belongs into the Secret",
		wrong: []string{`spec: {encryption: {recipients: [` + strings.Repeat("x", 62) + `]}}`, `spec: {encryption: {recipients: [AGE1` + strings.Repeat("q", 58) + `]}}`,
			`spec: {encryption: {recipients: [age1` + strings.Repeat("q", 58) + `, AGE-SECRET-KEY-1` + strings.Repeat("Q", 46) + `]}}`},
		right: []string{`spec: {encryption: {recipients: [age1` + strings.Repeat("0", 58) + `]}}`}},
}, placeRules("location")...), placeRules("offsite")...)

var scheduleRules = []rule{
	{name: "name length", base: "backupschedule", says: "metadata.name: use at most 52 characters: the names of the Backups begin with it",
		wrong: []string{`metadata: {name: ` + longName[11:] + `}`}, right: []string{`metadata: {name: ` + longName[12:] + `}`}},
	{name: "account stays", base: "backupschedule", path: "spec.accountRef", before: `{}`,
		says:  "accountRef cannot be changed: retention counts the archives of one account; create another BackupSchedule",
		wrong: []string{`spec: {accountRef: {name: dingtalk}}`}, right: []string{`spec: {schedule: '@daily'}`}},
	{name: "account by object name", base: "backupschedule", path: "spec.accountRef.name", says: wantEA,
		wrong: []string{`spec: {accountRef: {name: 企业微信}}`}, right: []string{`spec: {accountRef: {name: we-com}}`}},
	{name: "storage stays", base: "backupschedule", path: "spec.storageRef", before: `{}`,
		says:  "storageRef cannot be changed: retention counts the archives of one storage; create another BackupSchedule",
		wrong: []string{`spec: {storageRef: {name: bucket}}`}, right: []string{`spec: {state: Suspended}`}},
	{name: "storage by object name", base: "backupschedule", path: "spec.storageRef.name", says: wantStorage,
		wrong: []string{`spec: {storageRef: {name: 's3://acme'}}`}, right: []string{`spec: {storageRef: {name: archives-2}}`}},
	{name: "five fields", base: "backupschedule", path: "spec.schedule",
		says:  "schedule: write five fields with single spaces between them, e.g. 0 2 * * * for two in the morning, or @daily",
		wrong: []string{`spec: {schedule: '0 2 * *'}`, `spec: {schedule: '0 0 2 * * *'}`, `spec: {schedule: '0  2 * * *'}`, `spec: {schedule: '@every 1h'}`, `spec: {schedule: ' 0 2 * * *'}`, `spec: {schedule: nightly}`},
		right: []string{`spec: {schedule: '*/5 1-3 1,15 jan mon'}`, `spec: {schedule: '@monthly'}`}},
	{name: "zone apart", base: "backupschedule", path: "spec.schedule", says: "schedule: the time zone goes into timeZone, e.g. timeZone: Asia/Shanghai",
		wrong: []string{`spec: {schedule: 'TZ=UTC 2 * * *'}`, `spec: {schedule: 'CRON_TZ=UTC 0 2 * * *'}`}, right: []string{`spec: {schedule: '0 2 * * *', timeZone: UTC}`}},
	{name: "timeZone", base: "backupschedule", path: "spec.timeZone", says: "timeZone: write a name such as Asia/Shanghai or UTC",
		wrong: []string{`spec: {timeZone: Local}`, `spec: {timeZone: 'UTC+08:00'}`, `spec: {timeZone: 北京}`, `spec: {timeZone: /etc/localtime}`},
		right: []string{`spec: {timeZone: America/Argentina/Buenos_Aires}`, `spec: {timeZone: Etc/GMT-8}`}},
}

var backupRules = []rule{
	{name: "people stay", base: "backup", path: "spec", before: `{}`, says: "people" + oneArchive,
		wrong: []string{`spec: {people: null}`, `spec: {people: {userIDs: [A0002]}}`}, right: []string{`spec: {legalHold: Released}`}},
	{name: "datasets stay", base: "backup", path: "spec", before: `{}`, says: "datasets" + oneArchive,
		wrong: []string{`spec: {datasets: null}`, `spec: {datasets: [Directory]}`}, right: []string{`spec: {expireAfterDays: 1}`, `spec: {expireAfterDays: null}`}},
	{name: "lookbackDays stay", base: "backup", path: "spec", before: `{}`, says: "lookbackDays" + oneArchive,
		wrong: []string{`spec: {lookbackDays: null}`, `spec: {lookbackDays: 30}`}, right: []string{`spec: {deletionPolicy: Delete}`}},
	{name: "archiveKey stays", base: "backup", path: "spec", before: `{}`, says: "archiveKey" + oneArchive,
		wrong: []string{`spec: {archiveKey: null}`, `spec: {archiveKey: acme/wecom/ww0000000000000000/another}`}, right: []string{`spec: {legalHold: null}`}},
	{name: "account stays", base: "backup", path: "spec.accountRef", before: `{}`, says: "accountRef" + oneArchive,
		wrong: []string{`spec: {accountRef: {name: dingtalk}}`}, right: []string{`spec: {legalHold: Released}`}},
	{name: "account by object name", base: "backup", path: "spec.accountRef.name", says: wantEA,
		wrong: []string{`spec: {accountRef: {name: WeCom}}`}, right: []string{`spec: {accountRef: {name: wecom-2}}`}},
	{name: "storage stays", base: "backup", path: "spec.storageRef", before: `{}`, says: "storageRef" + oneArchive,
		wrong: []string{`spec: {storageRef: {name: bucket}}`}, right: []string{`spec: {legalHold: Released}`}},
	{name: "storage by object name", base: "backup", path: "spec.storageRef.name", says: wantStorage,
		wrong: []string{`spec: {storageRef: {name: Archives}}`}, right: []string{`spec: {storageRef: {name: archives-2}}`}},
	{name: "people by object name", base: "backup", path: "spec.people.employeeRefs[0].name", says: wantEmployee,
		wrong: []string{`spec: {people: {employeeRefs: [{name: 张伟}]}}`}, right: []string{`spec: {people: {employeeRefs: [{name: a0001}]}}`}},
	{name: "archiveKey", base: "backup", path: "spec.archiveKey",
		says:  "archiveKey: write the archive's folder as status.archive.key shows it, e.g. acme/wecom/ww0123/20261125T020000Z-1a2b3c4d",
		wrong: []string{`spec: {archiveKey: /acme/a/b/c}`, `spec: {archiveKey: acme/../a/b}`, `spec: {archiveKey: acme/a/b/}`, `spec: {archiveKey: acme/.claims/a/b}`, `spec: {archiveKey: a/b/c/d/e}`},
		right: []string{`spec: {archiveKey: acme/we.com/=2D_1/a-b}`}},
}

var restoreRules = []rule{
	{name: "target stays", base: "restore-account", path: "spec", before: `{}`, says: "target" + another,
		wrong: []string{`spec: {target: null}`, `spec: {target: {accountRef: {name: wecom}}}`}, right: []string{`spec: {action: Execute}`}},
	{name: "select stays", base: "restore-account", path: "spec", before: `{}`, says: "select" + another,
		wrong: []string{`spec: {select: null}`, `spec: {select: {kinds: [Roles]}}`}, right: []string{`spec: {planDigest: 0123456789abcdef}`}},
	{name: "existing stays", base: "restore-account", path: "spec", before: `{}`, says: "existing" + another,
		wrong: []string{`spec: {existing: null}`, `spec: {existing: Overwrite}`}, right: []string{`spec: {action: Execute}`}},
	{name: "conflicts stays", base: "restore-account", path: "spec", before: `{}`, says: "conflicts" + another,
		wrong: []string{`spec: {conflicts: null}`, `spec: {conflicts: Skip}`}, right: []string{`spec: {action: Execute}`}},
	{name: "no way back to a dry run", base: "restore-account", path: "spec", before: `spec: {action: Execute}`,
		says:  "action: what is being executed cannot become a dry run again; delete this Restore to stop it",
		wrong: []string{`spec: {action: DryRun}`, `spec: {action: null}`}, right: []string{`spec: {action: Execute}`}},
	{name: "backup stays", base: "restore-account", path: "spec.backupRef", before: `{}`, says: "backupRef" + another,
		wrong: []string{`spec: {backupRef: {name: another}}`}, right: []string{`spec: {action: Execute}`}},
	{name: "backup by object name", base: "restore-account", path: "spec.backupRef.name", says: wantBackup,
		wrong: []string{`spec: {backupRef: {name: acme/wecom/ww0}}`, `spec: {backupRef: {name: Nightly}}`}, right: []string{`spec: {backupRef: {name: nightly-29539800}}`}},
	{name: "one target", base: "restore-account", path: "spec.target", says: "set exactly one of accountRef (restore onto an account) and manifests (write YAML for Git)",
		wrong: []string{`spec: {target: {manifests: {accounts: [wecom]}}}`}, right: []string{`spec: {target: {accountRef: null, manifests: {accounts: [wecom]}}, select: {kinds: null}, existing: null, conflicts: null}`, `spec: {target: null}`}},
	{name: "manifests of all kinds", base: "restore-manifests", path: "spec",
		says:  "select.kinds: manifests are Departments and Employees that refer to each other; leave kinds out, or choose with userIDs and departmentIDs",
		wrong: []string{`spec: {select: {kinds: [People]}}`, `spec: {select: {kinds: [Departments, Memberships, People, Roles]}}`},
		right: []string{`spec: {select: {userIDs: [A0017], departmentIDs: ["2"]}}`, `spec: {target: null, select: {kinds: [People]}}`}},
	{name: "manifests change no account", base: "restore-manifests", path: "spec",
		says:  "existing and conflicts are about an account, and manifests change none: leave them out",
		wrong: []string{`spec: {existing: Keep}`, `spec: {conflicts: Skip}`},
		right: []string{`spec: {planDigest: 0123456789abcdef}`, `spec: {target: null, existing: Overwrite, conflicts: Skip}`}},
	{name: "target by object name", base: "restore-account", path: "spec.target.accountRef.name", says: wantEA,
		wrong: []string{`spec: {target: {accountRef: {name: 钉钉}}}`}, right: []string{`spec: {target: {accountRef: {name: wecom}}}`}},
}
