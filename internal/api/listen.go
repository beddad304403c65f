package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"assay/internal/fault"
)

// CheckListen refuses an address that would let strangers run programs: beyond loopback a token is needed, unless the
// operator allows guests in so many words. addr is "host:port" as for net.Listen.
func CheckListen(addr, token string, allowGuests bool) error {
	if _, _, err := net.SplitHostPort(addr); err != nil && !strings.HasPrefix(addr, "/") {
		return fault.Invalidf("listen", `give "host:port", as "127.0.0.1:8080"`, "%q is not an address", addr)
	}
	if strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return fault.Invalidf("admin_token", "use letters, digits and punctuation of ASCII", "the token holds a character that no header can carry")
	}
	if isLoopback(addr) || token != "" || allowGuests {
		return nil
	}
	return fault.Invalidf("listen", "set ASSAY_ADMIN_TOKEN, listen on 127.0.0.1, or allow guests explicitly",
		"%s is reachable from other machines and no token is set", addr)
}

// isLoopback reports whether only this machine reaches addr ("host:port", or the path of a Unix socket).
func isLoopback(addr string) bool {
	if strings.HasPrefix(addr, "/") {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	return isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// policy decides who may speak to one listener. It is made when the address is known and never changes.
type policy struct {
	loopback  bool
	anyIP     bool // listening on every address
	ip        netip.Addr
	hosts     map[string]bool
	tokenHash [sha256.Size]byte
	hasToken  bool
	guests    bool
}

func newPolicy(addr string, o Options) policy {
	p := policy{loopback: isLoopback(addr), hosts: make(map[string]bool), hasToken: o.AdminToken != ""}
	p.guests = p.loopback || o.AllowGuests
	p.tokenHash = sha256.Sum256([]byte(o.AdminToken))
	for _, h := range o.Hosts {
		p.hosts[strings.ToLower(strings.TrimSuffix(h, "."))] = true
	}
	host, _, _ := net.SplitHostPort(addr)
	ip, err := netip.ParseAddr(host)
	p.anyIP = host == "" || err == nil && ip.IsUnspecified()
	p.ip = ip.Unmap()
	return p
}

// hostAllowed checks the Host header. A page of another site reaches a local server by pointing its own name at it, so
// names must be known; an IP literal cannot be pointed anywhere. The port is not compared: forwarding may change it.
func (p *policy) hostAllowed(header string) bool {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if p.hosts[host] {
		return true
	}
	if p.loopback || p.anyIP {
		if isLoopbackHost(host) {
			return true
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || p.loopback {
		return false
	}
	return p.anyIP || ip.Unmap() == p.ip
}

// crossSite reports whether a browser says that the request comes from another site. Programs that are not browsers
// send neither header.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return false
	}
	u, err := url.Parse(origins[0])
	return err != nil || len(origins) > 1 || u.Host == "" || !strings.EqualFold(u.Host, r.Host)
}

// access is who may use a route.
type access int

const (
	public   access = iota // everybody
	guest                  // a token, or a guest where guests are let in
	operator               // a token, or a guest on a loopback address
)

// authorize checks the Authorization header. A token that is given must be right even where guests are let in, so that a
// caller learns of a typing error at once.
func (p *policy) authorize(header string, need access) error {
	if header == "" {
		if need == public || need == guest && p.guests || need == operator && p.loopback {
			return nil
		}
		return unauthorized("this server needs a token")
	}
	if need == public {
		return nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return unauthorized("the Authorization header is not of the kind Bearer")
	}
	// Hashes have one length, so that the comparison tells nothing about the token's.
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if subtle.ConstantTimeCompare(given[:], p.tokenHash[:]) != 1 || !p.hasToken {
		return unauthorized("the token is not valid")
	}
	return nil
}
