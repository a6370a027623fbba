package webhook

import (
	"context"
	"slices"

	"rollcall.dev/rollcall/internal/linked"
)

// Discover implements [linked.System]: a check is signed as a write is, and its receipt may say which events are done.
func (s *System) Discover(ctx context.Context) (linked.Capabilities, error) {
	r, err := s.client.do(ctx, &request{Type: eventCheck, Key: nonce("check")})
	if err != nil {
		return linked.Capabilities{}, err
	}
	does := func(event string) bool { return r.Events == nil || slices.Contains(r.Events, event) }
	c := linked.Capabilities{
		Protocol: "Webhook", Reads: s.lookup,
		Creates: does(eventProvision), Updates: does(eventUpdate), Disables: does(eventDisable), Enables: does(eventEnable),
		Deletes: does(eventDelete), Groups: does(eventUnlink),
		Words: []string{"signed by HMAC-SHA256 (v1)", "each act once by its key"},
	}
	if len(s.client.keys) > 1 {
		c.Words = append(c.Words, "signed by two keys: "+previousKey+" is still in the Secret")
	}
	switch {
	case !s.lookup:
		c.Limits = append(c.Limits, "what the receiver did cannot be read back (lookup is No): its receipts are all that is known")
	case !does(eventLookup):
		c.Limits = append(c.Limits, "lookup is declared Yes, and the receiver says that it does not answer "+eventLookup)
	default:
		c.Words = append(c.Words, "lookup")
	}
	for _, event := range []string{eventProvision, eventUpdate, eventDisable, eventEnable, eventUnlink, eventDelete} {
		if !does(event) {
			c.Limits = append(c.Limits, "the receiver does not do "+event)
		}
	}
	return c, nil
}
