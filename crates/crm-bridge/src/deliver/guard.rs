//! Where a webhook may go: to public addresses over TLS. Without this, whoever adds a webhook could have the bridge knock at
//! doors inside the house (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

const URL_CHARS_MAX: usize = 500;

/// Whether a webhook may have this address, as far as it can be told without asking for names.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_target(text: &str, allow_private: bool) -> Result<Url, String> {
    if text.len() > URL_CHARS_MAX {
        return Err(format!("the address is longer than {URL_CHARS_MAX} characters"));
    }
    let url =
        Url::parse(text).map_err(|_| "write an address such as https://crm.example.org/hook".to_owned())?;
    if !(url.scheme() == "https" || (url.scheme() == "http" && allow_private)) {
        return Err(
            "a receiver has an https:// address; crm_api.webhook_allow_private allows http".to_owned()
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address has no user and password; the signature tells who calls".to_owned());
    }
    let private = match url.host() {
        Some(Host::Ipv4(address)) => !is_public(address.into()),
        Some(Host::Ipv6(address)) => !is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost"
                || name.ends_with(".localhost")
                || name.ends_with(".internal")
                || !name.contains('.')
        }
        None => return Err("the address names no host".to_owned()),
    };
    if private && !allow_private {
        return Err(
            "the address is of a private network; crm_api.webhook_allow_private allows that".to_owned()
        );
    }
    Ok(url)
}

/// Whether an address is one of the public internet (IANA's registries of special-purpose addresses).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    if let Some(inside) = address.to_ipv4_mapped() {
        return is_public_v4(inside);
    }
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match parts {
        // Translated (RFC 6052) and tunnelled (6to4) addresses are as private as what they stand for.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Teredo, documentation, local translation.
        [0x2001, 0, ..] | [0x2001, 0xdb8, ..] | [0x64, 0xff9b, 1, ..] => false,
        // Only global unicast is handed out.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// Resolves names and leaves out private addresses, at the moment of the connection: a name that points elsewhere than when
/// the webhook was added gains nothing.
#[derive(Clone, Copy, Debug)]
pub struct PublicOnly {
    /// Leaves nothing out.
    pub allow_private: bool,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let fit: Vec<SocketAddr> =
                found.filter(|address| allow_private || is_public(address.ip())).collect();
            if fit.is_empty() {
                return Err("the name has no public address".into());
            }
            let addresses: Addrs = Box::new(fit.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_refused_however_they_are_written() {
        for target in [
            "https://127.0.0.1/x",
            "https://localhost/x",
            "https://0.0.0.0/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://10.1.2.3/",
            "https://172.31.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://[::1]/",
            "https://[::]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://postgres/",
            "https://metadata.google.internal/",
            "https://LOCALHOST./",
            "https://x.localhost/",
        ] {
            assert!(check_target(target, false).is_err(), "{target}");
        }
    }

    #[test]
    fn other_ways_than_https_and_credentials_are_refused() {
        for target in [
            "http://crm.example.org/",
            "ftp://crm.example.org/",
            "file:///etc/passwd",
            "crm.example.org",
            "https://u:p@crm.example.org/",
            "https://",
            "",
        ] {
            assert!(check_target(target, false).is_err(), "{target}");
        }
        assert!(check_target("https://u:p@crm.example.org/", true).is_err());
        assert!(check_target("file:///etc/passwd", true).is_err());
    }

    #[test]
    fn public_addresses_are_taken_and_private_ones_if_allowed() {
        for target in
            ["https://crm.example.org/hook?a=1", "https://93.184.216.34/", "https://[2606:2800:220:1::1]/"]
        {
            assert!(check_target(target, false).is_ok(), "{target}");
        }
        assert!(check_target("http://127.0.0.1:8080/", true).is_ok());
    }
}
