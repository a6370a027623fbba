module rollcall.dev/rollcall

go 1.26.0
