package core

import "time"

// Received is a message that somebody really got, as often as they got it. What a
// platform dropped, suppressed or never delivered is not among them.
type Received struct {
	To       string      `json:"to"` // user id
	Text     string      `json:"text"`
	Count    int         `json:"count"` // more than 1: they read the same thing again
	Times    []time.Time `json:"times"`
	Messages []string    `json:"messages"` // ids of the messages, one for each of Times
}

type letter struct{ to, text string }

// Inbox keeps what the people of a tenant received. The tenant's lock guards it.
type Inbox struct {
	at   map[letter]int // index in list
	list []Received
}

// NewInbox is an empty one.
func NewInbox() *Inbox { return &Inbox{at: map[letter]int{}} }

// Put delivers a message.
func (b *Inbox) Put(to, text, message string, at time.Time) {
	l := letter{to, text}
	i, known := b.at[l]
	if !known {
		i = len(b.list)
		b.at[l] = i
		b.list = append(b.list, Received{To: to, Text: text})
	}
	r := &b.list[i]
	r.Count++
	r.Times = append(r.Times, at) // behind the end of what List gave out before
	r.Messages = append(r.Messages, message)
}

// List gives what was received, in the order in which it first was.
func (b *Inbox) List() []any {
	list := make([]any, 0, len(b.list))
	for _, r := range b.list {
		list = append(list, r)
	}
	return list
}
