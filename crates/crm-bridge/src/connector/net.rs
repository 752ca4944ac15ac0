//! The one HTTP client of this service and what it never does: it follows no redirect, keeps no cookies, uses no proxy,
//! goes to no private address that a CRM named, and reads no more than it was told to.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::redirect::Policy as Redirects;
use thread_local::ThreadLocal;
use url::{Host, Origin, Url};
use zeroize::Zeroizing;

use super::pin::is_public;
use super::projection::RawAnswer;
use super::trouble::Trouble;
use crate::walls::{Wall, Walls};

const FIRST_ROOM_BYTES: usize = 16 * 1024;
/// An error or a token answer is not read further than this.
const SMALL_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 128;
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// How to talk to a CRM at all.
#[derive(Debug, Clone, Default)]
pub struct NetConfig {
    /// Time to connect.
    pub connect_timeout_ms: u64,
    /// Time between two pieces of an answer.
    pub idle_timeout_ms: u64,
    /// Time for everything.
    pub total_timeout_ms: u64,
    /// Size of an answer after decompression.
    pub answer_bytes_max: usize,
    /// Certificates (PEM) of the company's own authority.
    pub ca_file: Option<PathBuf>,
}

/// The HTTP client. Prints nothing of itself.
pub struct Net {
    first: reqwest::Client,
    /// Each thread has connections of its own: over one that another thread tends, a question would wait for both to wake.
    of_thread: ThreadLocal<reqwest::Client>,
    build: Build,
    answer_bytes_max: usize,
    hosts: Arc<Hosts>,
    walls: Walls,
}

/// Where requests may go at all.
#[derive(Debug, Default)]
pub struct Hosts {
    /// Scheme, host and port of the addresses in the settings and the profile.
    origins: Vec<Origin>,
    /// Their hosts; they may be in the own network.
    trusted: BTreeSet<String>,
    /// Ends of names that the profile lists.
    ends: Vec<String>,
}

impl Hosts {
    /// The hosts of these addresses, and names that end so.
    #[must_use]
    pub fn new(urls: &[&Url], ends: Vec<String>) -> Self {
        let trusted = urls.iter().filter_map(|url| url.host_str()).map(str::to_ascii_lowercase).collect();
        Self { origins: urls.iter().map(|url| url.origin()).collect(), trusted, ends }
    }

    /// Whether a request may go there.
    fn may_be_asked(&self, url: &Url) -> bool {
        let named = url.scheme() == "https"
            && url.port().is_none()
            && url.domain().is_some_and(|name| self.ends_well(name));
        named || self.origins.contains(&url.origin())
    }

    /// Whether a name may be looked up at all.
    fn knows(&self, host: &str) -> bool {
        self.trusted.contains(&host.to_ascii_lowercase()) || self.ends_well(host)
    }

    fn ends_well(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.ends.iter().any(|end| {
            let end = end.strip_prefix('.').unwrap_or(end).to_ascii_lowercase();
            let (name, rest) =
                host.split_at_checked(host.len().saturating_sub(end.len())).unwrap_or(("", ""));
            rest == end && (name.is_empty() || name.ends_with('.'))
        })
    }
}

/// Connections that a thread keeps for its next questions.
const IDLE_CONNECTIONS_MAX: usize = 4;

/// Makes a client as the settings say.
type Build = Box<dyn Fn() -> Result<reqwest::Client, reqwest::Error> + Send + Sync>;

impl Net {
    /// A client that goes to these hosts only, and to private addresses only for those that are trusted.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn new(config: &NetConfig, hosts: Hosts, walls: Walls) -> Result<Self, String> {
        let hosts = Arc::new(hosts);
        let certificates = config.ca_file.as_deref().map(own_authority).transpose()?.unwrap_or_default();
        let (config, its_hosts) = (config.clone(), Arc::clone(&hosts));
        let answer_bytes_max = config.answer_bytes_max;
        let build: Build =
            Box::new(move || client(&config, certificates.clone(), Arc::clone(&its_hosts), walls));
        let first = build().map_err(|_| {
            "the HTTP client could not be built; are the certificates of the system and of crm.ca_file sound?"
        })?;
        Ok(Self { first, of_thread: ThreadLocal::new(), build, answer_bytes_max, hosts, walls })
    }

    fn http(&self) -> &reqwest::Client {
        self.of_thread.get_or(|| (self.build)().unwrap_or_else(|_| self.first.clone()))
    }

    pub(super) fn request(&self, method: &str, url: Url) -> reqwest::RequestBuilder {
        let http = self.http();
        match method {
            "POST" => http.post(url),
            "PUT" => http.put(url),
            "PATCH" => http.patch(url),
            "DELETE" => http.delete(url),
            _ => http.get(url),
        }
    }

    /// Sends, if the host is one that may be asked. That is looked at here once more, whoever made the address.
    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Trouble> {
        let request = request.build().map_err(|_| Trouble::Unaskable)?;
        if !self.hosts.may_be_asked(request.url()) && self.walls.stands(Wall::Hosts) {
            return Err(Trouble::HostRefused);
        }
        let response = self.http().execute(request).await.map_err(|error| trouble_of(&error))?;
        let size: usize =
            response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > HEADER_BYTES_MAX { Err(Trouble::TooLarge) } else { Ok(response) }
    }

    /// The whole body, as far as an answer may be long.
    pub(super) async fn body(&self, response: reqwest::Response) -> Result<RawAnswer, Trouble> {
        // The announced length is the sender's claim and, when compressed, not even about these bytes.
        let mut answer = RawAnswer::with_room(FIRST_ROOM_BYTES);
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| trouble_of_body(&error))?;
            if !answer.push(&chunk, self.answer_bytes_max) {
                return Err(Trouble::TooLarge);
            }
        }
        Ok(answer)
    }
}

/// The certificates of the company's own authority.
fn own_authority(file: &Path) -> Result<Vec<reqwest::Certificate>, String> {
    let name = file.display();
    let pem = std::fs::read(file).map_err(|error| format!("crm.ca_file {name} can't be read: {error}"))?;
    reqwest::Certificate::from_pem_bundle(&pem)
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| format!("crm.ca_file {name} has no certificate in PEM"))
}

fn client(
    config: &NetConfig,
    certificates: Vec<reqwest::Certificate>,
    hosts: Arc<Hosts>,
    walls: Walls,
) -> Result<reqwest::Client, reqwest::Error> {
    let redirects = if walls.stands(Wall::Redirect) { Redirects::none() } else { Redirects::limited(5) };
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let builder = reqwest::Client::builder()
        .default_headers(headers)
        .user_agent(concat!("guichet-crm-bridge/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .dns_resolver(Arc::new(Resolver { hosts, walls }))
        .http1_max_headers(HEADERS_MAX)
        .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
        .read_timeout(Duration::from_millis(config.idle_timeout_ms))
        .timeout(Duration::from_millis(config.total_timeout_ms))
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
    // Their own authority beside those that the system trusts.
    if certificates.is_empty() { builder } else { builder.tls_certs_merge(certificates) }.build()
}

/// The beginning of a body that is looked at for one value only.
pub(super) async fn small_body(response: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4 * 1024));
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| trouble_of_body(&error))?;
        if bytes.len() + chunk.len() > SMALL_BYTES_MAX {
            return Err(Trouble::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Why a request failed. The error itself has the address in it and goes nowhere.
fn trouble_of(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        Trouble::Timeout
    } else if error.is_redirect() {
        Trouble::Redirect
    } else if in_chain(error, "certificate") {
        Trouble::Certificate
    } else if in_chain(error, PRIVATE) || in_chain(error, UNKNOWN) {
        Trouble::HostRefused
    } else if error.is_connect() {
        Trouble::Unreachable
    } else {
        Trouble::Broken
    }
}

fn trouble_of_body(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() || in_chain(error, "timed out") { Trouble::Timeout } else { Trouble::Broken }
}

fn in_chain(error: &reqwest::Error, what: &str) -> bool {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(one) = cause {
        if one.to_string().contains(what) {
            return true;
        }
        cause = one.source();
    }
    false
}

const PRIVATE: &str = "the name leads to a private address";
const UNKNOWN: &str = "the name is none that may be asked";

/// Finds addresses of names: of those that may be asked, however the client came by them. A name that is not in the
/// settings must not lead into the own network.
struct Resolver {
    hosts: Arc<Hosts>,
    walls: Walls,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let known = self.hosts.knows(name.as_str()) || !self.walls.stands(Wall::Hosts);
        let trusted = self.hosts.trusted.contains(&name.as_str().to_ascii_lowercase())
            || !self.walls.stands(Wall::Private);
        Box::pin(async move {
            if !known {
                return Err(UNKNOWN.into());
            }
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.filter(|address| trusted || is_public(address.ip())).collect();
            if found.is_empty() {
                return Err(PRIVATE.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// The base address in the settings or the profile.
///
/// # Errors
/// A sentence that says what to change.
pub(crate) fn parse_base(text: &str, setting: &str, allow_plain_http: bool) -> Result<Url, String> {
    let base = Url::parse(text)
        .map_err(|_| format!("{setting} is not an address such as https://crm.example.org"))?;
    if !matches!(base.scheme(), "http" | "https") || base.query().is_some() || base.fragment().is_some() {
        return Err(format!("{setting} begins with https:// and has no query"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(format!("{setting} has no user and password; the secret belongs into crm.secret_file"));
    }
    let here = match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(format!("{setting} names no host")),
    };
    if base.scheme() == "http" && !here && !allow_plain_http {
        return Err(format!(
            "{setting} is http: anybody on the way could read the cards. Use https, or set crm.allow_plain_http = true \
             if the way is safe"
        ));
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str, allow_plain_http: bool) -> Result<Url, String> {
        parse_base(url, "crm.base_url", allow_plain_http)
    }

    #[test]
    fn plain_http_is_for_this_machine_only_unless_allowed() {
        assert!(base("http://127.0.0.1:8069", false).is_ok());
        assert!(base("https://crm.example.org/suite", false).is_ok());
        assert!(base("http://crm.example.org", false).is_err());
        assert!(base("http://crm.example.org", true).is_ok());
    }

    #[test]
    fn an_address_carries_no_secret_and_no_query() {
        for url in [
            "https://u:p@crm.example.org",
            "https://crm.example.org/?a=1",
            "file:///etc/passwd",
            "crm.example.org",
        ] {
            let error = base(url, true).unwrap_err();
            assert!(!error.contains("u:p"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_host_that_a_crm_named_does_not_lead_into_the_own_network() {
        let url = Url::parse("http://localhost:9").unwrap();
        let config = NetConfig {
            connect_timeout_ms: 500,
            idle_timeout_ms: 500,
            total_timeout_ms: 500,
            ..NetConfig::default()
        };
        let trouble = async |hosts: Hosts| {
            let net = Net::new(&config, hosts, Walls::standing()).unwrap();
            net.send(net.request("GET", url.clone())).await.err()
        };
        assert_eq!(trouble(Hosts::default()).await, Some(Trouble::HostRefused), "unknown");
        assert_eq!(trouble(Hosts::new(&[&url], Vec::new())).await, Some(Trouble::Unreachable));
        // Named by the profile, and yet in the own network.
        let named = Hosts::new(&[], vec!["localhost".to_owned()]);
        let net = Net::new(&config, named, Walls::standing()).unwrap();
        let url = Url::parse("https://localhost/").unwrap();
        assert_eq!(net.send(net.request("GET", url)).await.err(), Some(Trouble::HostRefused));
    }

    #[test]
    fn a_host_is_one_of_the_settings_or_ends_as_the_profile_says() {
        let crm = Url::parse("https://CRM.example.org/api").unwrap();
        let hosts = Hosts::new(&[&crm], vec![".pods.example.org".to_owned(), "api.example.net".to_owned()]);
        for host in ["crm.example.org", "eu1.pods.example.org", "EU1.Pods.example.org", "api.example.net"] {
            assert!(hosts.knows(host), "{host}");
            assert!(hosts.may_be_asked(&Url::parse(&format!("https://{host}/x")).unwrap()), "{host}");
        }
        for host in
            ["example.org", "crm.example.org.x.example", "evilpods.example.org", "10.0.0.1", "api.example.ne"]
        {
            assert!(!hosts.knows(host), "{host}");
            assert!(!hosts.may_be_asked(&Url::parse(&format!("https://{host}/x")).unwrap()), "{host}");
        }
        for url in
            ["http://crm.example.org/", "https://crm.example.org:8443/", "http://eu1.pods.example.org/"]
        {
            assert!(!hosts.may_be_asked(&Url::parse(url).unwrap()), "{url}");
        }
    }
}
