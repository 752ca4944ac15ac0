//! From where questions may come at all. A stolen key of the ticket service is of use on these machines only.

use std::net::IpAddr;

/// Networks that may ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers(Vec<Net>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Net {
    Loopback,
    Private,
    Block(IpAddr, u8),
}

impl Peers {
    /// Reads entries of `ticket_service.allow_from`: `loopback`, `private`, an address, or a block such as `10.1.0.0/16`.
    ///
    /// # Errors
    /// A sentence with the entry that is none.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let nets = entries.iter().map(|entry| {
            net(entry).ok_or_else(|| {
                format!(
                    "ticket_service.allow_from: {} is none of \"loopback\", \"private\", an address, or a block such as \
                     10.1.0.0/16",
                    entry.escape_default()
                )
            })
        });
        nets.collect::<Result<_, _>>().map(Self)
    }

    /// Whether one may ask from there.
    #[must_use]
    pub fn allow(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| match net {
            Net::Loopback => address.is_loopback(),
            Net::Private => is_private(address),
            Net::Block(begin, bits) => is_in(address, *begin, *bits),
        })
    }
}

fn net(entry: &str) -> Option<Net> {
    match entry {
        "loopback" => return Some(Net::Loopback),
        "private" => return Some(Net::Private),
        _ => {}
    }
    let (address, bits) =
        entry.split_once('/').map_or((entry, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    (bits <= most).then_some(Net::Block(address, bits))
}

/// Addresses of the own network: RFC 1918, link-local, and unique local ones (RFC 4193).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn is_in(address: IpAddr, begin: IpAddr, bits: u8) -> bool {
    let same = |one: &[u8], other: &[u8]| {
        one.iter().zip(other).enumerate().all(|(position, (one, other))| {
            let known = usize::from(bits).saturating_sub(position * 8).min(8);
            let shift = 8 - u32::try_from(known).unwrap_or(8);
            one.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
        })
    };
    match (address, begin) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(&one.octets(), &other.octets()),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(&one.octets(), &other.octets()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entries: &[&str], address: &str) -> bool {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        Peers::parse(&entries).unwrap().allow(address.parse().unwrap())
    }

    #[test]
    fn one_may_ask_from_the_networks_that_are_named() {
        let usual = ["loopback", "private"];
        for address in
            ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.4", "172.20.0.3", "fd00::5", "::ffff:10.0.0.1"]
        {
            assert!(allows(&usual, address), "{address}");
        }
        for address in ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "172.32.0.1"] {
            assert!(!allows(&usual, address), "{address}");
        }
        assert!(allows(&["10.1.0.0/20"], "10.1.15.255") && !allows(&["10.1.0.0/20"], "10.1.16.0"));
        assert!(allows(&["192.0.2.7"], "192.0.2.7") && !allows(&["192.0.2.7"], "192.0.2.8"));
        assert!(
            allows(&["2001:db8::/33"], "2001:db8:7fff::1") && !allows(&["2001:db8::/33"], "2001:db8:8000::1")
        );
        assert!(allows(&["0.0.0.0/0"], "8.8.8.8") && !allows(&["0.0.0.0/0"], "::1"));
        assert!(!allows(&[], "127.0.0.1"));
    }

    #[test]
    fn a_slip_is_named() {
        for slip in ["localhost", "10.0.0.0/33", "10.0.0.0/x", "", "10.0.0"] {
            assert!(Peers::parse(&[slip.to_owned()]).unwrap_err().contains("allow_from"), "{slip}");
        }
    }
}
