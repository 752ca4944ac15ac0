//! Carries requests to the CRM and its answers back as raw bytes. The one HTTP client of this service: it reads only,
//! talks to the configured host only, follows no redirect, keeps no cookies, uses no proxy, and gives up in time.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy as Redirects;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::Settings;
use super::ask::{Payload, Request};
use super::profile::auth::Auth;
use super::profile::operation::Method;
use super::projection::RawAnswer;
use super::trouble::Trouble;
use crate::walls::Walls;

const FIRST_ROOM_BYTES: usize = 16 * 1024;
/// Longest pause that a CRM can impose with `Retry-After`.
const PAUSE_S_MAX: i64 = 300;

/// Where the CRM is and how long it may take.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// `https://crm.example.org`, with a path if the CRM lives below one.
    pub base_url: String,
    /// Time to connect.
    pub connect_timeout_ms: u64,
    /// Time for everything.
    pub total_timeout_ms: u64,
    /// Size of an answer after decompression.
    pub answer_bytes_max: usize,
    /// Allows http to a host that is not this machine.
    pub allow_plain_http: bool,
}

/// The client. No `Debug`: it holds the key.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    answer_bytes_max: usize,
}

/// What came back.
pub enum Reply {
    /// A body to read.
    Body(RawAnswer),
    /// The CRM says that there is no such record.
    NotFound,
    /// The CRM says that there is nothing.
    Nothing,
}

/// A failed request: why, and for how long the CRM wants to be left alone.
pub struct Failure {
    /// Why.
    pub trouble: Trouble,
    /// For how long.
    pub pause_ms: Option<i64>,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, pause_ms: None }
    }
}

impl Client {
    /// A client for one CRM.
    ///
    /// # Errors
    /// What is wrong with the address or the key, in a sentence without either.
    pub fn new(
        config: &ClientConfig,
        auth: &Auth,
        settings: &Settings,
        walls: Walls,
    ) -> Result<Self, String> {
        let base = parse_base(config)?;
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        for (name, value) in fixed_headers(auth, settings)? {
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| "auth.headers has a name that is none".to_owned())?;
            let mut value = HeaderValue::try_from(value.as_str())
                .map_err(|_| "the CRM's secret has letters that no header can carry".to_owned())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let redirects = if walls.ask_stands() { Redirects::none() } else { Redirects::limited(5) };
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("guichet-crm-bridge/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects)
            .referer(false)
            .no_proxy()
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            .timeout(Duration::from_millis(config.total_timeout_ms))
            .pool_max_idle_per_host(8)
            .build()
            .map_err(|_| {
                "the HTTP client could not be built; is the system's certificate store there?".to_owned()
            })?;
        Ok(Self { http, base, answer_bytes_max: config.answer_bytes_max })
    }

    /// Sends a request and reads the answer's bytes.
    ///
    /// # Errors
    /// [`Failure`], which has nothing of the answer but its status class.
    pub async fn send(&self, request: &Request) -> Result<Reply, Failure> {
        let url = self.url(request).ok_or(Trouble::NotOffered)?;
        let mut sending = match request.method {
            Method::Get => self.http.get(url),
            Method::Post => self.http.post(url),
        };
        for (name, value) in &request.headers {
            sending = sending.header(name, value.as_str());
        }
        sending = match &request.body {
            None => sending,
            Some(Payload::Json(text)) => {
                sending.header(CONTENT_TYPE, "application/json").body(text.as_bytes().to_vec())
            }
            Some(Payload::Form(form)) => {
                let pairs = form.iter().map(|(name, value)| (name, value.as_str()));
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                sending.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
            }
        };
        let response = sending.send().await.map_err(|error| trouble_of(&error))?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            204 | 304 => return Ok(Reply::Nothing),
            404 | 410 => return Ok(Reply::NotFound),
            300..400 => return Err(Trouble::Redirect.into()),
            401 | 403 => return Err(Trouble::Credentials.into()),
            429 => {
                return Err(Failure {
                    trouble: Trouble::RateLimited,
                    pause_ms: Some(pause_ms(response.headers())),
                });
            }
            400..500 => return Err(Trouble::Refused.into()),
            _ => return Err(Trouble::ServerError.into()),
        }
        if !is_json(response.headers()) {
            return Err(Trouble::NotJson.into());
        }
        self.body(response).await.map(Reply::Body)
    }

    async fn body(&self, response: reqwest::Response) -> Result<RawAnswer, Failure> {
        // The announced length is the sender's claim and, when compressed, not even about these bytes.
        let mut answer = RawAnswer::with_room(FIRST_ROOM_BYTES);
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk =
                chunk.map_err(|error| if error.is_timeout() { Trouble::Timeout } else { Trouble::Broken })?;
            if !answer.push(&chunk, self.answer_bytes_max) {
                return Err(Trouble::TooLarge.into());
            }
        }
        Ok(answer)
    }

    fn url(&self, request: &Request) -> Option<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(request.path.iter().map(|segment| segment.as_str()));
        if !request.query.is_empty() {
            url.query_pairs_mut()
                .extend_pairs(request.query.iter().map(|(name, value)| (name, value.as_str())));
        }
        Some(url)
    }
}

fn fixed_headers(auth: &Auth, settings: &Settings) -> Result<Vec<(String, Zeroizing<String>)>, String> {
    let unusable = |_| "the CRM's secret has letters that no header can carry".to_owned();
    match auth {
        Auth::Headers(headers) => settings.pen().headers(headers).map_err(unusable),
        _ => Err("this kind of [auth] is not built yet".to_owned()),
    }
}

fn parse_base(config: &ClientConfig) -> Result<Url, String> {
    let base = Url::parse(&config.base_url)
        .map_err(|_| "crm.base_url is not an address such as https://crm.example.org")?;
    if !matches!(base.scheme(), "http" | "https") || base.query().is_some() || base.fragment().is_some() {
        return Err("crm.base_url begins with https:// and has no query".to_owned());
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(
            "crm.base_url has no user and password; the secret belongs into crm.secret_file".to_owned()
        );
    }
    let here = match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("crm.base_url names no host".to_owned()),
    };
    if base.scheme() == "http" && !here && !config.allow_plain_http {
        return Err("crm.base_url is http: anybody on the way could read the cards. Use https, or set \
                    crm.allow_plain_http = true if the way is safe"
            .to_owned());
    }
    Ok(base)
}

fn trouble_of(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        Trouble::Timeout
    } else if error.is_redirect() {
        Trouble::Redirect
    } else if error.is_connect() {
        Trouble::Unreachable
    } else {
        Trouble::Broken
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return true };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json") || kind == "text/json"
}

fn pause_ms(headers: &HeaderMap) -> i64 {
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse().ok());
    seconds.unwrap_or(5_i64).clamp(1, PAUSE_S_MAX) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str, allow_plain_http: bool) -> Result<Url, String> {
        parse_base(&ClientConfig {
            base_url: url.to_owned(),
            connect_timeout_ms: 1,
            total_timeout_ms: 1,
            answer_bytes_max: 1,
            allow_plain_http,
        })
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
}
