package sdk

import (
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/work"
	"github.com/silenceper/wechat/v2/work/checkin"
	"github.com/silenceper/wechat/v2/work/config"
)

// TestWeComCheckins reads a past. Of what backups read, this SDK has checkins only.
func TestWeComCheckins(t *testing.T) {
	reset(t)
	ask(t, "POST", "/seed", `{"platform":"wecom","tenant":"acme","users":3,"departments":1}`, nil)
	ask(t, "POST", "/history", `{"platform":"wecom","tenant":"acme","days":30,"seed":1}`, nil)
	defer ask(t, "POST", "/history", `{"platform":"wecom","tenant":"acme","days":0}`, nil)
	client := work.NewWork(&config.Config{CorpID: wecomCorp, CorpSecret: wecomAppSecret, Cache: cache.NewMemory()}).GetCheckin()
	var clock struct{ Now time.Time }
	ask(t, "GET", "/clock", "", &clock)
	read := func(days int) (*checkin.GetCheckinDataResponse, error) {
		return client.GetCheckinData(&checkin.GetCheckinDataRequest{
			OpenCheckinDataType: 3, StartTime: clock.Now.AddDate(0, 0, -days).Unix(), EndTime: clock.Now.Unix(),
			UserIDList: []string{"S00001", "S00002"},
		})
	}
	week, err := read(7)
	ok(t, err)
	if n := len(week.CheckinData); n < 16 || n > 24 || week.CheckinData[0].UserID == "" || week.CheckinData[0].SchCheckinTime == 0 {
		t.Errorf("%d checkins of two members in a week: %+v", n, week.CheckinData)
	}
	_, err = read(31)
	failed(t, "more than 30 days", err, 40058, "invalid Request Parameter")
}
