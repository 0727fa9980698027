// Asks robfig/cron v1.2.0 itself when random expressions fire, and which texts it accepts. The answers are committed
// as robfig.txt (zone, expression, start, seconds to each of the next four fires) and texts.txt; write them anew with
//
//	go run . robfig >robfig.txt && go run . texts >texts.txt
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron"
)

// None changes its clock around midnight, where robfig loses its way.
var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Sydney", "America/Halifax", "Asia/Tokyo",
}

var (
	months = strings.Fields("jan FEB mar Apr may jun jul aug sep oct nov dec")
	days   = strings.Fields("sun mon TUE wed Thu fri sat")
)

type field struct {
	low, high int
	names     []string
}

var fields = []field{{0, 59, nil}, {0, 23, nil}, {1, 31, nil}, {1, 12, months}, {0, 6, days}}

func (f field) value(r *rand.Rand, n int) string {
	if f.names != nil && r.Intn(3) == 0 {
		return f.names[n-f.low]
	}
	return fmt.Sprint(n)
}

func (f field) item(r *rand.Rand) string {
	n := f.low + r.Intn(f.high-f.low+1)
	step := 1 + r.Intn(f.high)
	switch r.Intn(7) {
	case 0:
		return "*"
	case 1:
		return "?"
	case 2:
		return fmt.Sprintf("*/%d", step)
	case 3:
		return fmt.Sprintf("%s/%d", f.value(r, n), step)
	case 4:
		m := n + r.Intn(f.high-n+1)
		return f.value(r, n) + "-" + f.value(r, m)
	case 5:
		m := n + r.Intn(f.high-n+1)
		return fmt.Sprintf("%s-%s/%d", f.value(r, n), f.value(r, m), step)
	default:
		return f.value(r, n)
	}
}

func (f field) text(r *rand.Rand, star int) string {
	if r.Intn(10) < star {
		return "*"
	}
	items := []string{f.item(r)}
	for r.Intn(4) == 0 {
		items = append(items, f.item(r))
	}
	return strings.Join(items, ",")
}

func expression(r *rand.Rand) string {
	switch r.Intn(40) {
	case 0:
		return []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}[r.Intn(7)]
	case 1:
		return "@every " + []string{"1h30m", "90s", "1500ms", "36h", "10ms", "7h0m1.9s"}[r.Intn(6)]
	case 2:
		return []string{"0 0 31 2 *", "0 0 29 2 *", "0 0 29 2 1", "0 0 , * *", "5 4 31 4,6 ?", ", * * * *", "0 0 31 2 mon"}[r.Intn(7)]
	}
	var out []string
	for i, f := range fields {
		out = append(out, f.text(r, []int{1, 2, 4, 5, 4}[i]))
	}
	return strings.Join(out, " ")
}

// Half of the moments lie within two days of a change of the clock.
func moment(r *rand.Rand, zone *time.Location) time.Time {
	t := time.Unix(1262304000+r.Int63n(14*365*86400), 0).In(zone)
	if r.Intn(2) == 0 {
		if _, end := t.ZoneBounds(); !end.IsZero() {
			t = end.Add(time.Duration(r.Int63n(4*86400)-2*86400) * time.Second)
		}
	}
	return t
}

func robfig(out *bufio.Writer) {
	r := rand.New(rand.NewSource(1))
	for n := 0; n < 3000; n++ {
		name := zones[r.Intn(len(zones))]
		zone, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		text := expression(r)
		schedule, err := cron.ParseStandard(text)
		if err != nil {
			panic(text + ": " + err.Error())
		}
		t := moment(r, zone)
		fmt.Fprintf(out, "%s\t%s\t%d", name, text, t.Unix())
		for i := 0; i < 4; i++ {
			next := schedule.Next(t)
			if next.IsZero() {
				fmt.Fprint(out, " never")
				break
			}
			fmt.Fprintf(out, " %d", next.Unix()-t.Unix())
			t = next
		}
		fmt.Fprintln(out)
	}
}

func texts(out *bufio.Writer) {
	r := rand.New(rand.NewSource(2))
	marks := strings.Split("0 1 5 7 12 24 31 32 59 60 99 * ? / - , mon sun JAN x @ @daily @every 1h L # W", " ")
	seen := map[string]bool{}
	for len(seen) < 2000 {
		text := expression(r)
		at := r.Intn(len(text) + 1)
		mark, end := marks[r.Intn(len(marks))], min(len(text), at+r.Intn(3))
		if r.Intn(3) == 0 {
			mark = ""
		}
		text = text[:at] + mark + text[end:]
		if text != strings.TrimSpace(text) || seen[text] {
			continue
		}
		seen[text] = true
		_, err := cron.ParseStandard(text)
		fmt.Fprintf(out, "%t\t%s\n", err == nil, text)
	}
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	switch os.Args[1] {
	case "robfig":
		robfig(out)
	case "texts":
		texts(out)
	}
}
