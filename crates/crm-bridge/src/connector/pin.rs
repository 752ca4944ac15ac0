//! Addresses that come from the CRM: the next page, or the base address in a token answer. A CRM that was taken over
//! could point them anywhere, so each is compared with what may be asked before it is.

use std::net::IpAddr;

use url::{Host, Url};

const LINK_BYTES_MAX: usize = 8 * 1024;

/// What a next link is compared with.
pub(super) struct Pin<'a> {
    /// The request that was answered, as it was sent.
    pub(super) asked: &'a Url,
    /// The base address, whose path further paths are seen from.
    pub(super) base: &'a Url,
    /// Parameters that say where a page begins; a link may have other values there.
    pub(super) free: &'a [String],
    /// Beginnings of paths that a link may have beside that of the request.
    pub(super) paths: &'a [String],
    /// Ends of further host names.
    pub(super) hosts: &'a [String],
}

/// Why a link is not followed. Says nothing of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpinned {
    NoAddress,
    OtherHost,
    OtherPath,
    OtherParameters,
}

impl Pin<'_> {
    /// The address, if it leads to the same host, a path that may be asked, and asks for nothing else.
    pub(super) fn pin(&self, link: &str) -> Result<Url, Unpinned> {
        if link.len() > LINK_BYTES_MAX || link.chars().any(|c| c.is_control() || c == '\\') {
            return Err(Unpinned::NoAddress);
        }
        let url = self.asked.join(link).map_err(|_| Unpinned::NoAddress)?;
        let clean = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !clean {
            return Err(Unpinned::NoAddress);
        }
        if !same_origin(&url, self.base) && !self.is_further_host(&url) {
            return Err(Unpinned::OtherHost);
        }
        let same_path = url.path() == self.asked.path();
        if !same_path && !self.is_further_path(url.path()) {
            return Err(Unpinned::OtherPath);
        }
        self.parameters(&url, same_path)?;
        Ok(url)
    }

    fn is_further_host(&self, url: &Url) -> bool {
        let Some(Host::Domain(name)) = url.host() else { return false };
        url.scheme() == "https" && url.port().is_none() && ends_in_one_of(name, self.hosts)
    }

    fn is_further_path(&self, path: &str) -> bool {
        let plain = !path.to_ascii_lowercase().contains("%2e") && !path.to_ascii_lowercase().contains("%2f");
        let base = self.base.path().trim_end_matches('/');
        let below = path.strip_prefix(base).unwrap_or_default();
        plain
            && !path.contains("//")
            && self.paths.iter().any(|begin| {
                below
                    .strip_prefix(begin.as_str())
                    .is_some_and(|rest| rest.is_empty() || begin.ends_with('/') || rest.starts_with('/'))
            })
    }

    /// What was asked for is asked for again; what says where the page begins may differ; nothing is added.
    fn parameters(&self, url: &Url, all: bool) -> Result<(), Unpinned> {
        let mut sent: Vec<(String, String)> = self.asked.query_pairs().into_owned().collect();
        let is_free = |key: &str| self.free.iter().any(|free| free == key);
        sent.retain(|(key, _)| !is_free(key));
        for (key, value) in url.query_pairs() {
            if is_free(&key) {
                continue;
            }
            let same = sent.iter().position(|(known, wanted)| *known == key && *wanted == value);
            match same {
                Some(position) => drop(sent.swap_remove(position)),
                None => return Err(Unpinned::OtherParameters),
            }
        }
        if all && !sent.is_empty() { Err(Unpinned::OtherParameters) } else { Ok(()) }
    }
}

/// Same scheme, host and port.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Whether a name ends in one of these, at the border of a label.
pub(super) fn ends_in_one_of(name: &str, ends: &[String]) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    ends.iter().any(|end| {
        let end = end.trim_start_matches('.').to_ascii_lowercase();
        name == end || name.strip_suffix(&end).is_some_and(|rest| rest.ends_with('.'))
    })
}

/// The base address in a token answer: the configured one, or https at a host whose name ends as the profile says.
pub(super) fn base_from_answer(text: &str, configured: Option<&Url>, ends: &[String]) -> Option<Url> {
    if text.len() > 512 || text.chars().any(|c| c.is_control() || c == '\\') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let clean = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && matches!(url.path(), "" | "/");
    if !clean {
        return None;
    }
    if let Some(configured) = configured.filter(|configured| same_origin(&url, configured)) {
        return Some(configured.clone());
    }
    let Some(Host::Domain(name)) = url.host() else { return None };
    (url.scheme() == "https" && url.port().is_none() && ends_in_one_of(name, ends)).then_some(url)
}

/// Whether an address is one of the public internet. A host that a CRM names must not lead into the own network.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let special = v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || v4.is_unspecified()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || (a == 192 && b == 0);
            !special
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped().or_else(|| nat64(v6)) {
                return is_public(IpAddr::V4(v4));
            }
            // Only 2000::/3 is given out; documentation, 6to4 and Teredo lie in it (RFC 6890).
            let [first, second, ..] = v6.segments();
            (first & 0xe000) == 0x2000
                && !(first == 0x2001 && second < 0x0200)
                && first != 0x2002
                && !(first == 0x2001 && second == 0x0db8)
        }
    }
}

/// The IPv4 address inside `64:ff9b::/96` (RFC 6052).
fn nat64(v6: std::net::Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    let segments = v6.segments();
    let octets = v6.octets();
    (segments[0] == 0x64 && segments[1] == 0xff9b && segments[2..6].iter().all(|part| *part == 0))
        .then(|| std::net::Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(link: &str) -> Result<String, Unpinned> {
        let asked =
            Url::parse("https://crm.example.org/api/v4/contacts?limit=50&select=a%2Cb&f=x&f=y&page=1")
                .unwrap();
        let base = Url::parse("https://crm.example.org/api").unwrap();
        let (free, paths, hosts) = (
            ["page".to_owned()],
            ["/services/query/".to_owned(), "/more".to_owned()],
            [".pods.example.org".to_owned()],
        );
        let pin = Pin { asked: &asked, base: &base, free: &free, paths: &paths, hosts: &hosts };
        pin.pin(link).map(|url| url.to_string())
    }

    #[test]
    fn a_link_is_followed_only_to_where_the_request_itself_could_lead() {
        let same = "limit=50&select=a%2Cb&f=x&f=y";
        for link in [
            format!("https://crm.example.org/api/v4/contacts?{same}&page=2"),
            format!("/api/v4/contacts?page=2&{same}"),
            format!("?{same}&page=9&page=10"),
            format!("contacts?{same}"),
            format!("https://crm.example.org:443/api/v4/contacts?{same}&page=2"),
            format!("https://eu1.pods.example.org/api/v4/contacts?{same}&page=2"),
            "/api/services/query/01gD-2000".to_owned(),
            "/api/services/query/01gD-2000?limit=50".to_owned(),
            "/api/more".to_owned(),
            "/api/more/2".to_owned(),
        ] {
            assert!(pin(&link).is_ok(), "{link}: {:?}", pin(&link));
        }
        for (link, why) in [
            (format!("http://crm.example.org/api/v4/contacts?{same}"), Unpinned::OtherHost),
            (format!("https://crm.example.org:8443/api/v4/contacts?{same}"), Unpinned::OtherHost),
            (format!("//elsewhere.example/api/v4/contacts?{same}"), Unpinned::OtherHost),
            (
                format!("https://crm.example.org.elsewhere.example/api/v4/contacts?{same}"),
                Unpinned::OtherHost,
            ),
            (format!("https://evilpods.example.org/api/v4/contacts?{same}"), Unpinned::OtherHost),
            (format!("http://eu1.pods.example.org/api/v4/contacts?{same}"), Unpinned::OtherHost),
            (format!("https://eu1.pods.example.org:8443/api/v4/contacts?{same}"), Unpinned::OtherHost),
            (format!("https://10.0.0.1/api/v4/contacts?{same}"), Unpinned::OtherHost),
            (format!("https://user@crm.example.org/api/v4/contacts?{same}"), Unpinned::NoAddress),
            (format!("https://crm.example.org/api/v4/contacts?{same}#x"), Unpinned::NoAddress),
            (format!("https://crm.example.org\\@elsewhere.example/?{same}"), Unpinned::NoAddress),
            ("file:///etc/passwd".to_owned(), Unpinned::OtherHost),
            ("javascript:alert(1)".to_owned(), Unpinned::OtherHost),
            (format!("/api/v4/deals?{same}"), Unpinned::OtherPath),
            (format!("/api/v4/contacts/../deals?{same}"), Unpinned::OtherPath),
            (format!("/v4/contacts?{same}"), Unpinned::OtherPath),
            ("/services/query/x".to_owned(), Unpinned::OtherPath),
            ("/api/services/query/../../v4/deals".to_owned(), Unpinned::OtherPath),
            ("/api/services/query/%2e%2e/deals".to_owned(), Unpinned::OtherPath),
            ("/api/services/query/..%2fdeals".to_owned(), Unpinned::OtherPath),
            ("/api/services/query//x".to_owned(), Unpinned::OtherPath),
            ("/api/moreover".to_owned(), Unpinned::OtherPath),
            ("/api/v4/contacts?page=2".to_owned(), Unpinned::OtherParameters),
            (format!("/api/v4/contacts?{same}&with=leads"), Unpinned::OtherParameters),
            (format!("/api/v4/contacts?{same}&f=z"), Unpinned::OtherParameters),
            (format!("/api/v4/contacts?{same}&limit=50"), Unpinned::OtherParameters),
            ("/api/v4/contacts?limit=500&select=a%2Cb&f=x&f=y".to_owned(), Unpinned::OtherParameters),
            ("/api/v4/contacts?limit=50&select=a%2Cb%2Ciban&f=x&f=y".to_owned(), Unpinned::OtherParameters),
            ("/api/services/query/x?select=iban".to_owned(), Unpinned::OtherParameters),
        ] {
            assert_eq!(pin(&link), Err(why), "{link}");
        }
    }

    #[test]
    fn a_base_address_from_an_answer_is_the_known_one_or_ends_as_the_profile_says() {
        let known = Url::parse("http://127.0.0.1:8069/crm").unwrap();
        let ends = [".my.salesforce.com".to_owned(), "www.zohoapis.eu".to_owned()];
        let from = |text: &str| base_from_answer(text, Some(&known), &ends).map(|url| url.to_string());
        assert_eq!(from("http://127.0.0.1:8069").unwrap(), "http://127.0.0.1:8069/crm");
        assert_eq!(from("https://acme.my.salesforce.com").unwrap(), "https://acme.my.salesforce.com/");
        assert_eq!(from("https://www.zohoapis.eu/").unwrap(), "https://www.zohoapis.eu/");
        for text in [
            "http://acme.my.salesforce.com",
            "https://acme.my.salesforce.com:8443",
            "https://acme.my.salesforce.com.elsewhere.example",
            "https://my.salesforce.com.example",
            "https://evilmy.salesforce.com",
            "https://u:p@acme.my.salesforce.com",
            "https://acme.my.salesforce.com/path",
            "https://acme.my.salesforce.com/?q",
            "https://10.0.0.1",
            "http://127.0.0.1:9",
            "",
        ] {
            assert_eq!(from(text), None, "{text}");
        }
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for private in [
            "10.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "ff02::1",
            "2002:a00:1::",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
