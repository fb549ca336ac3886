//! Was this request sent by a browser, because a page of somebody else's told it to?
//!
//! Any page can point its visitors' browsers at any port of any host. Their addresses are then
//! proven, but not their intent. Browsers say when it was so, in headers that no page can change:
//! `Sec-Fetch-Site` (W3C Fetch Metadata), `Origin` (RFC 6454, WHATWG Fetch), `Referer` (RFC 9110
//! section 10.1.3) and the questions of a CORS preflight.
//!
//! A page of the same site on another port counts as another page: whoever follows its stale link
//! typed nothing. What the user typed or bookmarked (`Sec-Fetch-Site: none`), and a page of this
//! very port, excuse nothing.
//!
//! What it does not see: TLS and HTTP/2, which say nothing in the clear; a page that hides its
//! referrer where no `Origin` is sent. And a bot may lie: it is then not banned for that contact,
//! and has learned nothing by it either.

use crate::event::Contact;

/// Whether `said`, the first bytes of a connection, is a request that a page of another origin
/// made a browser send. Whatever it can't read excuses nothing.
#[must_use]
pub fn sent_by_another_site(said: &[u8]) -> bool {
    let said = said.get(..Contact::JUDGED).unwrap_or(said);
    if is_cut_off(said) {
        return true;
    }
    // What follows the last line feed was cut off, and may mean something else than it says.
    let Some(end) = said.iter().rposition(|byte| *byte == b'\n') else { return false };
    let mut lines = said.get(..end).unwrap_or_default().split(|byte| *byte == b'\n');
    let Some(method) = lines.next().and_then(method) else { return false };
    let headers = || {
        lines
            .clone()
            .map(<[u8]>::trim_ascii_end)
            .take_while(|line| !line.is_empty())
            .filter_map(header)
    };
    let host = headers().find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
    let host = host.and_then(|(_, value)| Place::of_host(value));
    headers().any(|(name, value)| {
        if name.eq_ignore_ascii_case(b"sec-fetch-site") {
            value.eq_ignore_ascii_case(b"cross-site") || value.eq_ignore_ascii_case(b"same-site")
        } else if name.eq_ignore_ascii_case(b"origin") {
            // A page without an origin of its own: a sandbox, a file, a redirect.
            value.eq_ignore_ascii_case(b"null") || elsewhere(value, host)
        } else if name.eq_ignore_ascii_case(b"referer") {
            elsewhere(value, host)
        } else {
            method == b"OPTIONS" && begins_with(name, b"access-control-request-")
        }
    })
}

/// Whether this is the beginning of a request that goes on: as with a link so long that the headers
/// that would tell of its page did not fit into the first segment. Nobody types so much.
fn is_cut_off(said: &[u8]) -> bool {
    let mut words = said.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let is_request = !method.is_empty()
        && method.iter().all(u8::is_ascii_uppercase)
        && (target.starts_with(b"/") || target.starts_with(b"http"));
    let ends = said.windows(2).any(|two| two == b"\n\n")
        || said.windows(3).any(|three| three == b"\n\r\n");
    is_request && !ends && said.len() >= LONG
}

/// The smallest first segment that TCP/IPv4 must be able to carry (RFC 9293 section 3.7.1: 536
/// bytes), rounded down: what ends before that was not cut off by its length.
const LONG: usize = 512;

/// The method of an HTTP/1.x request line; `None` if it is none.
fn method(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_end();
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().filter(|word| !word.is_empty())?;
    let version = words.next_back()?;
    (method.iter().all(u8::is_ascii_uppercase) && version.starts_with(b"HTTP/1.")).then_some(method)
}

/// Name and value of a header line.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = split(line, b':')?;
    Some((name.trim_ascii(), value.trim_ascii()))
}

/// A host and its port.
#[derive(Clone, Copy)]
struct Place<'a> {
    host: &'a [u8],
    port: u16,
}

impl<'a> Place<'a> {
    /// From `name`, `name:port`, `[::1]` or `[::1]:port`.
    fn read(authority: &'a [u8], default: u16) -> Option<Self> {
        let colon = authority.iter().rposition(|byte| *byte == b':');
        // The colons of an IPv6 address stand within brackets.
        let colon =
            colon.filter(|colon| authority.get(*colon..).is_some_and(|rest| !rest.contains(&b']')));
        let (host, port) = match colon {
            Some(colon) => {
                let digits = authority.get(colon + 1..)?;
                (authority.get(..colon)?, core::str::from_utf8(digits).ok()?.parse().ok()?)
            }
            None => (authority, default),
        };
        (!host.is_empty()).then_some(Self { host, port })
    }

    /// From the value of a `Host` header, on a connection without TLS.
    fn of_host(value: &'a [u8]) -> Option<Self> {
        Self::read(value, 80)
    }

    /// From a URL, or the origin that one begins with.
    fn of_url(url: &'a [u8]) -> Option<Self> {
        let (scheme, rest) = split(url, b':')?;
        let rest = rest.strip_prefix(b"//")?;
        let authority = rest.split(|byte| b"/?#".contains(byte)).next()?;
        let tls = scheme.eq_ignore_ascii_case(b"https") || scheme.eq_ignore_ascii_case(b"wss");
        Self::read(authority, if tls { 443 } else { 80 })
    }

    fn is(&self, other: &Place<'_>) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(other.host)
    }
}

/// Whether the page at `url` lies elsewhere than `host`. Every browser names the host that it
/// calls; where that is missing, no browser speaks.
fn elsewhere(url: &[u8], host: Option<Place<'_>>) -> bool {
    match (Place::of_url(url), host) {
        (Some(page), Some(host)) => !page.is(&host),
        _ => false,
    }
}

fn begins_with(name: &[u8], beginning: &[u8]) -> bool {
    name.get(..beginning.len()).is_some_and(|part| part.eq_ignore_ascii_case(beginning))
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = bytes.iter().position(|byte| *byte == at)?;
    Some((bytes.get(..index)?, bytes.get(index + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    fn get(headers: &str) -> String {
        format!("GET /x HTTP/1.1\r\nHost: www.example.org:8080\r\n{headers}\r\n")
    }

    #[test]
    fn a_request_whose_headers_did_not_fit_excuses() {
        let path = "a".repeat(1_400);
        assert!(sent_by_another_site(format!("GET /{path}").as_bytes()));
        let behind = format!("GET /{path} HTTP/1.1\r\nHost: a\r\nReferer: http://b/\r\n\r\n");
        assert!(sent_by_another_site(behind.as_bytes()));
        let typed = format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(!sent_by_another_site(typed.as_bytes()));
        assert!(!sent_by_another_site(b"GET / HTTP/1.0"));
        assert!(!sent_by_another_site(&[b'A'; 1_400]));
    }

    #[test]
    fn sent_by_a_page_of_another_origin() {
        for headers in [
            "Sec-Fetch-Site: cross-site\r\n",
            "sec-fetch-site:same-site\r\n",
            "SEC-FETCH-SITE: \tCross-Site \r\n",
            "Origin: http://evil.example\r\n",
            "Origin: null\r\n",
            "Origin: http://www.example.org\r\n", // another port
            "Origin: https://[2001:db8::1]:8080\r\n",
            "Referer: https://evil.example/page?www.example.org:8080\r\n",
            "User-Agent: x\nReferer: http://evil.example\n", // lenient line ends
            "Upgrade: websocket\r\nConnection: Upgrade\r\nOrigin: https://evil.example\r\n",
        ] {
            assert!(sent_by_another_site(get(headers).as_bytes()), "{headers}");
        }
        let preflight = "OPTIONS / HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: PUT\r\n";
        assert!(sent_by_another_site(preflight.as_bytes()));
        let private = preflight.replace("Method: PUT", "Private-Network: true");
        assert!(sent_by_another_site(private.as_bytes()));
        // An IPv6 host, with and without port.
        let v6 = "GET / HTTP/1.1\r\nHost: [::1]:81\r\nOrigin: http://[::1]:82\r\n";
        assert!(sent_by_another_site(v6.as_bytes()));
    }

    #[test]
    fn typed_by_hand_or_by_no_browser() {
        for headers in [
            "",
            "Sec-Fetch-Site: none\r\n",
            "Sec-Fetch-Site: same-origin\r\n",
            "Origin: http://WWW.example.org:8080\r\n",
            "Referer: http://www.example.org:8080/other/page\r\n",
            "Referer: not a url\r\n",
            "Access-Control-Request-Method: PUT\r\n", // not in an OPTIONS
            "X-Origin: http://evil.example\r\n",
            "\r\nOrigin: http://evil.example\r\n", // in the body
        ] {
            assert!(!sent_by_another_site(get(headers).as_bytes()), "{headers}");
        }
        for other in [
            "",
            "\n",
            "\r\n\r\n",
            "SSH-2.0-Go\r\n",
            "\u{16}\u{3}\u{1}",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nSec-Fetch-Site: cross-site\r\n",
            "GET /\r\nSec-Fetch-Site: cross-site\r\n",
            "HELO x\r\nOrigin: null\r\n",
            "GET / HTTP/1.1\r\nOrigin: http://evil.example\r\n", // no Host
            "GET / HTTP/1.0\r\n\r\n",
            "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: [::1]\r\nOrigin: http://[::1]:80\r\n",
        ] {
            assert!(!sent_by_another_site(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_request_cut_off_anywhere_is_read_as_far_as_it_goes() {
        let whole = get("Accept: */*\r\nOrigin: http://evil.example\r\n");
        let line_end = whole.find("evil.example\r\n").unwrap() + "evil.example\r\n".len();
        for cut in 0..=whole.len() {
            let verdict = sent_by_another_site(&whole.as_bytes()[..cut]);
            assert_eq!(verdict, cut >= line_end, "{cut}");
        }
    }

    #[test]
    fn no_bytes_upset_it() {
        let whole =
            get("Sec-Fetch-Site: cross-site\r\nOrigin: http://[::1]:99999/\r\nReferer::\r\n");
        let mut bytes = whole.into_bytes();
        for index in 0..bytes.len() {
            let kept = bytes[index];
            for wrong in [0, b' ', b':', b'\n', b'/', b']', 0xff] {
                bytes[index] = wrong;
                let _ = sent_by_another_site(&bytes);
            }
            bytes[index] = kept;
        }
        bytes.resize(100_000, b'\n');
        let _ = sent_by_another_site(&bytes);
    }
}
