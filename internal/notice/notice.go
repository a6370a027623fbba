// Package notice has the texts that people are told when somebody leaves. It is
// pure, and knows no platform.
package notice

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Limit is how many bytes of UTF-8 a text has at most: what every platform takes.
const Limit = 2000

// Language of a text.
type Language string

// The languages; the words equal the API's.
const (
	Chinese Language = "zh"
	English Language = "en"
)

// To is who is told.
type To string

// Who is told; the words equal the API's.
const (
	Leaver         To = "Leaver"
	Manager        To = "Manager"
	Successor      To = "Successor"
	Administrators To = "Administrators"
)

// Facts are what the placeholders of a text stand for.
type Facts struct {
	Name, Number string
	// Account is what the EnterpriseAccount is called.
	Account string
	// Successor is the name of who takes over; empty if nobody does.
	Successor string
	// Date is the day on which the account is deleted, as YYYY-MM-DD; empty if it is kept.
	Date string
}

// What the placeholders stand for where there is nothing, and what is said then.
var words = map[Language]struct{ nobody, never, takesOver, nobodyTakesOver, deleted, kept string }{
	Chinese: {
		nobody: "（无）", never: "（不删除）",
		takesOver: "工作由{successor}接手。", nobodyTakesOver: "接手人尚未确定。",
		deleted: "该账号将于{date}删除，在此之前可以撤销。", kept: "该账号将保留，但不能再使用。",
	},
	English: {
		nobody: "nobody", never: "never",
		takesOver: " {successor} takes over.", nobodyTakesOver: " Nobody was named who takes over.",
		deleted: " The account is deleted on {date}; until then this can be undone.", kept: " The account is kept, but is not to be used any more.",
	},
}

// texts begin what is said to each; who takes over and what becomes of the account follow.
var texts = map[Language]map[To]string{
	Chinese: {
		Leaver:         "【离职通知】{name}（{number}），您在 {account} 的账号正在办理离职停用。如有疑问，请尽快联系您的主管或管理员。",
		Manager:        "【离职通知】您的下属 {name}（{number}）在 {account} 的账号正在办理离职。请确认工作已经交接。",
		Successor:      "【工作交接】{name}（{number}）正在离职，{account} 上的工作将转交给您。请查收文档、审批和客户等事项。",
		Administrators: "【离职通知】{name}（{number}）在 {account} 的账号正在办理离职。需要人工完成的事项见该员工的 Offboarding。",
	},
	English: {
		Leaver:         "[Leaving] {name} ({number}), your account on {account} is being closed because you leave. If this is a mistake, tell your manager or an administrator now.",
		Manager:        "[Leaving] {name} ({number}), who reports to you, is leaving {account}. Please see that their work is handed over.",
		Successor:      "[Hand-over] {name} ({number}) is leaving, and their work on {account} goes to you. Please look after documents, approvals and customers.",
		Administrators: "[Leaving] {name} ({number}) is leaving {account}. What has to be done by hand is listed in the person's Offboarding.",
	},
}

// Text is what is said to somebody: custom if there is one, else our own words. An
// unknown language is Chinese. It has at most [Limit] bytes.
func Text(to To, in Language, custom string, f Facts) string {
	w, ok := words[in]
	if !ok {
		in, w = Chinese, words[Chinese]
	}
	text := custom
	if text == "" {
		text = texts[in][to]
		if to != Successor {
			text += either(f.Successor != "", w.takesOver, w.nobodyTakesOver)
		}
		text += either(f.Date != "", w.deleted, w.kept)
	}
	text = strings.NewReplacer(
		"{{", "{", // before the placeholders: {{name} is no placeholder
		"{name}", f.Name, "{number}", f.Number, "{account}", f.Account,
		"{successor}", either(f.Successor != "", f.Successor, w.nobody),
		"{date}", either(f.Date != "", f.Date, w.never),
	).Replace(text)
	return cut(text)
}

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// cut shortens a text to the limit, at a character's border.
func cut(text string) string {
	const more = "…"
	if len(text) <= Limit {
		return text
	}
	at := Limit - len(more)
	for !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at] + more
}

// asks are how long after a notice was sent the platform is asked whom it missed, until it tells. It is done within
// seconds, or there is a queue; who cannot be told by then is not asked about for ever.
var asks = []time.Duration{5 * time.Second, 5 * time.Minute, time.Hour}

// told is how long platforms tell (internal/directory, Notifier).
const told = 24 * time.Hour

// Ask says how long to wait until the platform is asked whom a notice missed that was sent then, when it was asked that
// often before; zero is now. False: it is not asked any more.
func Ask(sent time.Time, asked int, now time.Time) (wait time.Duration, again bool) {
	if asked >= len(asks) || now.Sub(sent) >= told {
		return 0, false
	}
	return max(0, sent.Add(asks[asked]).Sub(now)), true
}
