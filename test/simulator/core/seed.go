package core

import (
	"fmt"
	"iter"
)

// Seed asks a platform for many invented departments and people.
type Seed struct {
	Users       int    `json:"users"`
	Departments int    `json:"departments"` // besides the root
	Prefix      string `json:"prefix"`      // of user ids, mail names and numbers; "": "S"
	First       int    `json:"first"`       // number of the first person; 0: 1
	Pending     bool   `json:"pending"`     // they have not joined yet
}

// Seeded says what was added.
type Seeded struct {
	Users       int `json:"users"`
	Departments int `json:"departments"`
}

// SeedDepartment is an invented department.
type SeedDepartment struct {
	Number int // from 1
	Parent int // number of the parent; 0: the root
	Name   string
}

// SeedUser is an invented person.
type SeedUser struct {
	ID         string // also the employee number
	Name       string
	Mobile     string
	Email      string
	Title      string
	Department int // number of a SeedDepartment; 0: the root
}

var (
	surnames = []rune("赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜")
	givens   = []rune("安博晨丹恩帆刚浩佳凯岚明宁佩琪然书婷薇欣雅泽")
	units    = []string{"研发", "产品", "市场", "销售", "财务", "人事", "法务", "采购", "生产", "质量", "物流", "客服"}
	titles   = []string{"工程师", "专员", "主管", "经理", "分析师", "顾问"}
)

// Validate reports what is wrong with the numbers.
func (s Seed) Validate() error {
	if s.Users < 0 || s.Users > 99_999 || s.Departments < 0 || s.Departments > 30_000 || s.First < 0 || s.First > 99_999 {
		return fmt.Errorf("users and first must be 0 to 99999, departments 0 to 30000")
	}
	return nil
}

// Tree gives the departments, parents first: up to eight below the root, then
// eight below each of those, and so on.
func (s Seed) Tree() iter.Seq[SeedDepartment] {
	return func(yield func(SeedDepartment) bool) {
		for n := 1; n <= s.Departments; n++ {
			d := SeedDepartment{Number: n, Parent: (n - 1) / 8, Name: fmt.Sprintf("%s%d部", units[n%len(units)], n)}
			if !yield(d) {
				return
			}
		}
	}
}

// People gives the people, spread evenly over the departments. Their mobile
// numbers begin with 1990000 and a digit, so that they do not meet those of samples.
func (s Seed) People() iter.Seq[SeedUser] {
	prefix, first := s.Prefix, max(s.First, 1)
	if prefix == "" {
		prefix = "S"
	}
	return func(yield func(SeedUser) bool) {
		for n := first; n < first+s.Users; n++ {
			id := fmt.Sprintf("%s%05d", prefix, n)
			u := SeedUser{
				ID: id, Mobile: fmt.Sprintf("199%08d", n), Email: id + "@example.com",
				Name:  string([]rune{surnames[n%len(surnames)], givens[n/len(surnames)%len(givens)], givens[n/7%len(givens)]}),
				Title: titles[n%len(titles)],
			}
			if s.Departments > 0 {
				u.Department = (n-1)%s.Departments + 1
			}
			if !yield(u) {
				return
			}
		}
	}
}
