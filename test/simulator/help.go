package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"

	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/webhook"
)

const intro = `simulator: DingTalk and WeCom on this machine, to test and to rehearse against.

It speaks the platforms' wire protocols, keeps state in memory, enforces their
rules and answers with their errors. A control endpoint shows the state, takes
edits by hand, moves the clock and injects faults. Beside them is an in-house
system that is told of people by webhooks.

Flags:
`

// controlHelp is what GET / of the control endpoint answers, and a part of -h.
const controlHelp = `The control endpoint, with C=http://127.0.0.1:18203

Look
  curl $C/tenants                                  tenants with credentials and options
  curl $C/state/wecom/acme/users                   all members; /users/E001 for one
  curl $C/state/dingtalk/acme/departments          also what backups read; see the package comments
  curl $C/state/dingtalk/acme/received             what people really got: person, text, count, times
  curl $C/state/wecom/acme/left                    who left, when, by which call, what went to whom; /left/E001 for one
  curl "$C/calls?platform=wecom&since=0&limit=20"  the log; also tenant, operation, subject, credential, code
  curl $C/calls/counts                             calls by operation and code; -X DELETE $C/calls to begin anew
  curl $C/faults; curl $C/limits; curl $C/clock; curl $C/healthz

Edit by hand, as in the platform's console
  curl -X PUT    $C/state/wecom/acme/users/E900 -d '{"name":"林晓","mobile":"13900000900","department":[1]}'
  curl -X POST   $C/state/wecom/acme/users/E900 -d '{"position":"顾问"}'      (merges the fields; null removes one)
  curl -X DELETE $C/state/wecom/acme/users/E900
  curl -X PUT    $C/state/wecom/acme/customers/wm1 -d '{"userid":"E900"}'   a customer (or "refuses":true); groups/wr1 with
                                                           {"owner":"E900"} is a chat with customers
  curl -X POST   $C/state/wecom/acme/accept/E900    a pending or not yet active person joins
  curl -X DELETE $C/state/wecom/acme/tokens/sync    the platform takes a token back early
  curl -X PATCH  $C/tenants/wecom/acme -d '{"syncReadRefused":false}'
  curl -X POST   $C/tenants -d '{"platform":"wecom","name":"initech","corpId":"wwinitech","syncSecret":"s1","apps":[{"name":"a","agentId":1000003,"secret":"s2"}]}'
  curl -X POST   $C/seed -d '{"platform":"wecom","tenant":"acme","users":2000,"departments":30}'
  curl -X POST   $C/history -d '{"platform":"wecom","tenant":"acme","days":90,"seed":1}'   approvals, punches, reports ... of
                                                           the people who are there, to back up; days 0 takes it away
  curl -X POST   $C/clock/advance -d '{"seconds":7200}'    tokens expire, blocks end
  curl -X PUT    $C/limits -d '{"platform":"wecom","overallPerSecond":200}'   or perSecond, burst, concurrent,
                                                           blockSeconds, documented, unlimited
  curl -X POST   $C/reset                                  state, faults, log and limits as at the start; tenants and clock stay

The in-house system that takes webhooks (a LinkedSystem)
  curl $C/webhook/accounts                            all accounts; /acc-0001 for one
  curl -X POST   $C/webhook/accounts/acc-0001 -d '{"enabled":true}'   by hand; or groups, sessions, attributes
  curl -X DELETE $C/webhook/accounts/acc-0001
  curl -X PUT    $C/webhook/down                      it answers everything with 503; -X DELETE ends that

Inject faults: who, what, how often. The answer has the id, for DELETE $C/faults/{id}; DELETE $C/faults takes all away.
  curl $C/faults -d '{"platform":"wecom","operation":"user/create","kind":"error","code":-1,"times":3}'
  curl $C/faults -d '{"platform":"wecom","operation":"user/create","subject":"E001","kind":"dropAfter","times":1}'
  curl $C/faults -d '{"platform":"dingtalk","operation":"*","kind":"throttle","probability":0.1}'

  selectors  platform, tenant, operation (a path, the end of one, or *), subject (user or department id), credential
  how often  skip (let the first so many pass), probability (0 to 1), times (0: until removed)
  kinds      error         code, message, httpStatus: an error as the platform words it
             httpStatus    httpStatus: a page of a gateway, such as 502
             latency       delayMillis
             throttle      the platform's answer to too many calls;  ipban: to a banned address
             dropAfter     the call takes effect, the connection is closed without an answer
             dropBefore    the connection is closed, nothing happens
             hang          no answer until the client gives up or the fault is removed
             partialPage   a listing with fewer rows (rows, or half) that says it is the end
             emptyListing  a listing that succeeds with no rows
             stale         reads answer as of now for ever; or lagWrites, or lagSeconds, behind
             ignoreField   field: this one of a write is silently ignored (dots go into objects)
  A Go client repeats a GET whose reused connection was closed: drop twice to make it fail.
`

// usage prints all there is to know.
func usage(w io.Writer, f *flag.FlagSet, c *core.Core) error {
	var text strings.Builder
	text.WriteString(intro)
	f.SetOutput(&text)
	f.PrintDefaults()
	text.WriteString("\nBuilt-in tenants and their credentials, which are not secret:\n")
	for _, p := range c.Platforms() {
		for _, t := range p.Tenants() {
			line, err := json.Marshal(t)
			if err != nil {
				return fmt.Errorf("showing the tenants: %w", err)
			}
			fmt.Fprintf(&text, "  %s %s\n", p.Name(), line)
		}
	}
	fmt.Fprintf(&text, "  webhook signingKey %s, at /rollcall of its address\n", webhook.DemoKey)
	text.WriteString("\n" + controlHelp)
	_, err := io.WriteString(w, text.String())
	return err
}
