package api

import (
	"net"
	"testing"

	"assay/internal/fault"
)

func TestCheckListen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		addr, token string
		guests, ok  bool
	}{
		{"127.0.0.1:8080", "", false, true},
		{"127.9.9.9:0", "", false, true},
		{"[::1]:8080", "", false, true},
		{"localhost:8080", "", false, true},
		{"[::ffff:127.0.0.1]:1", "", false, true},
		{"/run/assay.sock", "", false, true},
		{":8080", "", false, false},
		{"0.0.0.0:8080", "", false, false},
		{"[::]:8080", "", false, false},
		{"192.0.2.1:8080", "", false, false},
		{"localhost.example:8080", "", false, false},
		{"0.0.0.0:8080", "secret", false, true},
		{"0.0.0.0:8080", "", true, true},
		{"0.0.0.0:8080", "two words", false, false},
		{"0.0.0.0:8080", "line\n", true, false},
		{"127.0.0.1", "secret", true, false},
		{"", "secret", true, false},
	}
	for _, tt := range tests {
		err := CheckListen(tt.addr, tt.token, tt.guests)
		if (err == nil) != tt.ok {
			t.Errorf("CheckListen(%q, %q, %v) = %v", tt.addr, tt.token, tt.guests, err)
		}
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("code %s", fault.CodeOf(err))
		}
	}
}

// listener claims to listen elsewhere.
type listener struct {
	net.Listener
	addr net.Addr
}

func (l listener) Addr() net.Addr { return l.addr }

func TestServeRefusesAnOpenAddress(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := listener{ln, &net.TCPAddr{IP: net.IPv4zero, Port: 80}}
	if err := New(Options{}).Serve(t.Context(), open); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("Serve = %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

func TestHostAllowed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		listen, host string
		ok           bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1", true},
		{"127.0.0.1:80", "localhost:9999", true},
		{"127.0.0.1:80", "LOCALHOST.", true},
		{"127.0.0.1:80", "[::1]:80", true},
		{"127.0.0.1:80", "[::1]", true},
		{"127.0.0.1:80", "judge.example:80", true},
		{"127.0.0.1:80", "Judge.Example", true},
		{"127.0.0.1:80", "evil.example", false},
		{"127.0.0.1:80", "127.0.0.1.evil.example", false},
		{"127.0.0.1:80", "localhost.evil.example", false},
		{"127.0.0.1:80", "192.0.2.1", false},
		{"127.0.0.1:80", "0.0.0.0", false},
		{"127.0.0.1:80", "", false},
		{"127.0.0.1:80", "2130706433", false},
		{"192.0.2.1:80", "192.0.2.1:8080", true},
		{"192.0.2.1:80", "192.0.2.2", false},
		{"192.0.2.1:80", "localhost", false},
		{"192.0.2.1:80", "judge.example", true},
		{"0.0.0.0:80", "192.0.2.1", true},
		{"[::]:80", "[2001:db8::1]:80", true},
		{":80", "localhost", true},
		{":80", "evil.example", false},
	}
	for _, tt := range tests {
		p := newPolicy(tt.listen, Options{Hosts: []string{"judge.EXAMPLE"}})
		if got := p.hostAllowed(tt.host); got != tt.ok {
			t.Errorf("listening on %s, host %q: %v", tt.listen, tt.host, got)
		}
	}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		listen, token, header string
		guests                bool
		need                  access
		ok                    bool
	}{
		{"127.0.0.1:1", "", "", false, guest, true},
		{"127.0.0.1:1", "s", "", false, guest, true},
		{"127.0.0.1:1", "s", "Bearer s", false, guest, true},
		{"127.0.0.1:1", "s", "bearer  s", false, guest, true},
		{"127.0.0.1:1", "s", "Bearer t", false, guest, false},
		{"127.0.0.1:1", "s", "Basic s", false, guest, false},
		{"127.0.0.1:1", "", "Bearer ", false, guest, false},
		{"127.0.0.1:1", "", "Bearer", false, operator, false},
		{"127.0.0.1:1", "", "", false, operator, true},
		{"0.0.0.0:1", "s", "", false, guest, false},
		{"0.0.0.0:1", "s", "Bearer s", false, guest, true},
		{"0.0.0.0:1", "s", "Bearer s", false, operator, true},
		{"0.0.0.0:1", "s", "", true, guest, true},
		{"0.0.0.0:1", "s", "", true, operator, false},
		{"0.0.0.0:1", "s", "", false, public, true},
		{"0.0.0.0:1", "s", "Bearer t", false, public, true},
	}
	for _, tt := range tests {
		p := newPolicy(tt.listen, Options{AdminToken: tt.token, AllowGuests: tt.guests})
		if err := p.authorize(tt.header, tt.need); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
