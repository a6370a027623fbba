package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// person is one Employee.
type person struct {
	Object, Name, Title, Workplace string
	Number, NumberRule             string // one of them
	Mobile, Email                  string
	Private                        bool // mobile and email are in a Secret
	HireDate                       string
	Departments                    []string // the first one is the primary
	Manager                        string
	Attributes                     []attribute
	FrozenBecause                  string
	Enterprise                     bool
	Linked                         bool // to the systems of linkedsystems.yaml

	department *department
	hired      time.Time
}

type attribute struct{ Name, Value string }

// OnDingTalk: ordinary accounts there cannot be frozen, so frozen people are on WeCom only.
func (p *person) OnDingTalk() bool { return p.FrozenBecause == "" }

var (
	founded = time.Date(2015, 3, 2, 0, 0, 0, 0, time.UTC)
	thisMay = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
)

// hire fills the company: the same people every time.
func hire() []*person {
	random := rand.New(rand.NewPCG(2015, 3))
	taken := map[string]int{}
	var people []*person
	for _, d := range company {
		for i, j := range d.jobs {
			for n := range j.number {
				people = append(people, newPerson(random, taken, d, j, place{leads: i == 0, first: n == 0, last: n == j.number-1, nth: n}))
			}
		}
	}
	appoint(people)
	number(people)
	return people
}

// place is where somebody stands among those of a title.
type place struct {
	leads, first, last bool
	nth                int
}

func newPerson(random *rand.Rand, taken map[string]int, d *department, j job, at place) *person {
	key := d.Object + "/" + j.title
	p := &person{Title: j.title, Workplace: d.place, Departments: []string{d.Object}, department: d}
	p.call(random, taken, at.first && namesakes[key])
	p.hired = founded.AddDate(0, 0, random.IntN(3900))
	switch {
	case at.leads:
		p.hired = founded.AddDate(0, 0, random.IntN(1400))
	case j.title == intern:
		p.hired, p.NumberRule = thisMay, "interns"
	case at.last && newcomers[key]:
		p.hired, p.NumberRule = thisMay.AddDate(0, 0, -14*random.IntN(8)), "by-department"
	}
	if j.level != "" {
		p.Attributes = append(p.Attributes, attribute{"职级", j.level})
	}
	if d.floor != "" {
		p.Attributes = append(p.Attributes, attribute{"工位", fmt.Sprintf("%s-%03d", d.floor, 1+len(taken))})
	}
	if second := also[key]; at.nth < len(second) {
		p.Departments = append(p.Departments, second[at.nth])
	}
	if at.last {
		p.FrozenBecause, p.Enterprise = frozen[key], enterprise[key]
	}
	p.Private = at.first && private[key]
	p.Linked = linked[d.Object] || linked[key]
	return p
}

// call gives a name, an object name that nobody else has, and an invented mobile number and mail address.
func (p *person) call(random *rand.Rand, taken map[string]int, namesakeOf bool) {
	p.Object, p.Name = namesake.Object, namesake.Name
	for !namesakeOf {
		surname, given := surnames[random.IntN(len(surnames))], givenNames[random.IntN(len(givenNames))]
		p.Object, p.Name = surname.pinyin+"-"+given.pinyin, surname.text+given.text
		if taken[p.Object] == 0 && p.Object != namesake.Object {
			break
		}
	}
	p.Email = strings.ReplaceAll(p.Object, "-", ".")
	taken[p.Object]++
	if n := taken[p.Object]; n > 1 {
		p.Object, p.Email = fmt.Sprintf("%s-%d", p.Object, n), fmt.Sprintf("%s%d", p.Email, n)
		taken[p.Object]++
	}
	p.Email += "@example.com"
	p.Mobile = fmt.Sprintf("+86-1380000%04d", len(taken))
}

// appoint says who leads the departments and who reports to whom.
func appoint(people []*person) {
	leader := map[string]*person{}
	for _, p := range people {
		d := p.department
		if leader[d.Object] == nil {
			leader[d.Object] = p
		}
		if len(d.Managers) == 0 || (len(d.Managers) == 1 && twoManagers[d.Object]) {
			d.Managers = append(d.Managers, p.Object)
		}
	}
	head := leader[company[0].Object]
	for _, p := range people {
		boss := leader[p.department.Object]
		if boss == p {
			boss = leader[p.department.Parent]
		}
		if boss == nil {
			boss = head
		}
		if boss != p {
			p.Manager = boss.Object
		}
	}
	siblings := map[string]int{}
	for _, d := range company {
		siblings[d.Parent] += 10
		d.Order = siblings[d.Parent]
	}
}

// number gives numbers in the order in which people came; those of a rule get theirs from Rollcall.
func number(people []*person) {
	var numbered []*person
	for _, p := range people {
		for p.hired.Weekday() == time.Saturday || p.hired.Weekday() == time.Sunday {
			p.hired = p.hired.AddDate(0, 0, 1)
		}
		p.HireDate = p.hired.Format(time.DateOnly)
		if p.NumberRule == "" {
			numbered = append(numbered, p)
		}
	}
	head := people[0]
	head.hired, head.HireDate = founded, founded.Format(time.DateOnly)
	slices.SortStableFunc(numbered, func(a, b *person) int { return a.hired.Compare(b.hired) })
	for i, p := range numbered {
		p.Number = fmt.Sprintf("A%04d", i+1)
	}
}
