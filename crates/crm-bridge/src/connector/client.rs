//! Carries requests to the CRM and its answers back as raw bytes: proves who asks, pins addresses that the CRM named,
//! and tells by status, headers and code what an answer means.

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap};
use service_kit::{Clock, Timestamp};
use url::Url;
use zeroize::Zeroizing;

use super::ask::{Payload, Request, Unaskable};
use super::auth::keeper::Means;
use super::auth::{Credentials, Keeper, sensitive, sign};
use super::net::{Net, small_body};
use super::pick::pick;
use super::pin::Pin;
use super::profile::auth::Auth;
use super::profile::limits::{Limits, WaitUnit};
use super::profile::operation::Parameter;
use super::profile::template::HoleName;
use super::profile::{Operation, Profile, Shape};
use super::projection::RawAnswer;
use super::trouble::{Failure, PAUSE_MS, Trouble};
use super::{Settings, page};
use crate::walls::{Wall, Walls};

/// Longest pause that a CRM can impose.
const PAUSE_MS_MAX: i64 = 300_000;

/// The client. No `Debug`: it holds the key.
pub struct Client {
    net: Net,
    keeper: Keeper,
    /// The base address of the settings or the profile; a token answer may bring another.
    base: Option<Url>,
    clock: Clock,
    walls: Walls,
    /// What the CRM said with an error, where a test build reads it.
    #[cfg(feature = "sabotage")]
    pub(super) said: std::sync::Mutex<String>,
}

/// What came back.
pub(super) enum Reply {
    /// A body to read.
    Body(RawAnswer),
    /// The CRM says that there is no such record.
    NotFound,
    /// The CRM says that there is nothing, or nothing new.
    Nothing,
}

/// An answer and what its headers say about pages.
pub(super) struct Answered {
    pub(super) reply: Reply,
    /// The request as it was sent.
    pub(super) asked: Url,
    /// The base address that it was sent to.
    pub(super) base: Url,
    /// Where the next page is, by the `Link` header.
    pub(super) link: Option<String>,
    /// How many records there are, by the `Content-Range` header.
    pub(super) total: Option<u64>,
    /// Whether headers spoke of a limit.
    pub(super) limit_seen: bool,
    /// The `Date` header.
    pub(super) crm_time: Option<Timestamp>,
}

/// What one request is for.
pub(super) struct Errand<'a> {
    pub(super) profile: &'a Profile,
    pub(super) settings: &'a Settings,
    pub(super) operation: &'a Operation,
    pub(super) shape: &'a Shape,
    pub(super) walls: Walls,
}

impl Client {
    /// A client for one CRM.
    #[must_use]
    pub fn new(net: Net, keeper: Keeper, base: Option<Url>, clock: Clock, walls: Walls) -> Self {
        Self {
            net,
            keeper,
            base,
            clock,
            walls,
            #[cfg(feature = "sabotage")]
            said: std::sync::Mutex::default(),
        }
    }

    /// Sends a request, which `make` renders with the token of the moment, and reads the answer's bytes. A key that the
    /// CRM refuses is renewed once, where it can be; for a request about one record, which may be hidden, not over and over.
    ///
    /// # Errors
    /// [`Failure`], which has nothing of the answer but its status class.
    pub(super) async fn send(
        &self,
        errand: &Errand<'_>,
        about_one: bool,
        make: impl Fn(&Credentials) -> Result<Request, Unaskable>,
    ) -> Result<Answered, Failure> {
        let means = Means { net: &self.net, profile: errand.profile, walls: self.walls };
        let credentials = self.keeper.credentials(&means).await?;
        let first = self.exchange(errand, &make, &credentials).await;
        match first {
            Err(failure) if failure.trouble == Trouble::Credentials => {
                let renewed = self.keeper.after_refusal(credentials.generation, about_one, &means).await?;
                let Some(renewed) = renewed else { return Err(failure) };
                let second = self.exchange(errand, &make, &renewed).await;
                if second.as_ref().is_err_and(|failure| failure.trouble == Trouble::Credentials) {
                    self.keeper.renewed_in_vain().await;
                }
                second
            }
            other => other,
        }
    }

    async fn exchange(
        &self,
        errand: &Errand<'_>,
        make: &impl Fn(&Credentials) -> Result<Request, Unaskable>,
        credentials: &Credentials,
    ) -> Result<Answered, Failure> {
        let request = make(credentials).map_err(|_| Trouble::Unaskable)?;
        let base = credentials.base.as_ref().or(self.base.as_ref()).ok_or(Trouble::NotOffered)?;
        let asked = request.url(base).ok_or(Trouble::Unaskable)?;
        let url = match &request.link {
            Some(link) => pin_of(errand, &asked, base).pin(link.as_str()).map_err(|_| Trouble::NextLink)?,
            None => asked.clone(),
        };
        let mut sending =
            request.build(&self.net, url.clone(), Some(credentials)).ok_or(Trouble::Unaskable)?;
        if let Auth::Hmac(rule) = &errand.profile.auth {
            let path = url.path().trim_start_matches('/');
            let below = base.path().trim_matches('/');
            let path = path.strip_prefix(below).unwrap_or(path).trim_start_matches('/');
            let value = sign(rule, errand.settings.fillings(), request.method.as_str(), path);
            let (name, value) = sensitive(&rule.header, &value.ok_or(Trouble::Unaskable)?)
                .map_err(|_| Trouble::Credentials)?;
            sending = sending.header(name, value);
        }
        let response = self.net.send(sending).await?;
        let headers = response.headers();
        let link = page::link_header(headers);
        let total = page::content_range_total(headers);
        let limit_seen = speaks_of_a_limit(headers, &errand.profile.limits);
        let crm_time = date(headers);
        let reply = self.reply(errand, response).await?;
        Ok(Answered { reply, asked, base: base.clone(), link, total, limit_seen, crm_time })
    }

    async fn reply(&self, errand: &Errand<'_>, response: reqwest::Response) -> Result<Reply, Failure> {
        let status = response.status().as_u16();
        let shape = errand.shape;
        if shape.empty.contains(&status) || shape.unchanged.contains(&status) {
            return Ok(Reply::Nothing);
        }
        if (200..300).contains(&status) {
            if !is_json(response.headers()) {
                return Err(Trouble::NotJson.into());
            }
            return Ok(Reply::Body(self.net.body(response).await?));
        }
        #[cfg(feature = "sabotage")]
        if !self.walls.stands(Wall::Unread) {
            let body = small_body(response).await?;
            if let Ok(mut said) = self.said.lock() {
                *said = String::from_utf8_lossy(&body).into_owned();
            }
            return Err(Trouble::Refused.into());
        }
        if let Some(failure) = self.throttled(&errand.profile.limits, status, response).await {
            return Err(failure);
        }
        if shape.missing.contains(&status) {
            return Ok(Reply::NotFound);
        }
        Err(match status {
            300..400 => Trouble::Redirect,
            401 | 403 => Trouble::Credentials,
            400..500 => Trouble::Refused,
            _ => Trouble::ServerError,
        }
        .into())
    }

    /// Whether this status, or the code in its body, says that we ask too often.
    async fn throttled(&self, limits: &Limits, status: u16, response: reqwest::Response) -> Option<Failure> {
        let pause_ms = pause_of(limits, response.headers(), self.clock.now());
        let failure = Failure { trouble: Trouble::RateLimited, pause_ms: Some(pause_ms.unwrap_or(PAUSE_MS)) };
        let rules: Vec<_> = limits.throttled.iter().filter(|rule| rule.status == status).collect();
        if status == 429 || rules.iter().any(|rule| rule.at.is_none()) {
            return Some(failure);
        }
        if rules.is_empty() {
            return None;
        }
        // Of the body one short code is looked at; it is compared and forgotten.
        let body = small_body(response).await.ok()?;
        let says_so = rules.iter().any(|rule| {
            let code = rule.at.as_ref().and_then(|at| pick(&body, at)).and_then(|code| code.text());
            code.is_some_and(|code| rule.is.contains(&*code))
        });
        says_so.then_some(failure)
    }
}

/// What the next link of an operation is compared with.
pub(super) fn pin_link(errand: &Errand<'_>, link: &str, asked: &Url, base: &Url) -> Result<Url, Trouble> {
    pin_of(errand, asked, base).pin(link).map_err(|_| Trouble::NextLink)
}

struct Pinned<'a> {
    errand: &'a Errand<'a>,
    asked: &'a Url,
    base: &'a Url,
}

fn pin_of<'a>(errand: &'a Errand<'a>, asked: &'a Url, base: &'a Url) -> Pinned<'a> {
    Pinned { errand, asked, base }
}

impl Pinned<'_> {
    fn pin(&self, link: &str) -> Result<Url, super::pin::Unpinned> {
        if !self.errand.walls.stands(Wall::Pin) {
            return self.asked.join(link).map_err(|_| super::pin::Unpinned::NoAddress);
        }
        let paging = self.errand.profile.paging_of(self.errand.operation);
        let mut free = paging.keys.clone();
        free.extend(paging_keys(self.errand.operation));
        let pin = Pin {
            asked: self.asked,
            base: self.base,
            free: &free,
            paths: &paging.paths,
            hosts: &self.errand.profile.host.also,
        };
        pin.pin(link)
    }
}

/// The query parameters of an operation that say where a page begins.
fn paging_keys(operation: &Operation) -> impl Iterator<Item = String> {
    let says_where = |parameter: &Parameter| {
        let Parameter::Text(template) = parameter else { return false };
        template.holes().any(|hole| {
            matches!(hole.name, HoleName::Cursor | HoleName::Offset | HoleName::Page | HoleName::LastId)
        })
    };
    operation.query.iter().filter(move |(_, parameter)| says_where(parameter)).map(|(key, _)| key.clone())
}

impl Request {
    /// The address below that base.
    pub(super) fn url(&self, base: &Url) -> Option<Url> {
        let mut url = base.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(self.path.iter().map(|segment| segment.as_str()));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.query.iter().map(|(name, value)| (name, value.as_str())));
        }
        Some(url)
    }

    /// The HTTP request to that address.
    pub(super) fn build(
        &self,
        net: &Net,
        mut url: Url,
        credentials: Option<&Credentials>,
    ) -> Option<reqwest::RequestBuilder> {
        let in_query = credentials.and_then(|credentials| credentials.query.as_ref());
        let in_body = credentials.and_then(|credentials| credentials.body.as_ref());
        if let Some((name, token)) = in_query {
            url.query_pairs_mut().append_pair(name, token.expose());
        }
        let mut sending = net.request(self.method.as_str(), url);
        for (name, value) in &self.headers {
            sending = sending.header(name, value.as_str());
        }
        if let Some(credentials) = credentials {
            sending = sending.headers(credentials.headers.clone());
        }
        Some(match &self.body {
            None => sending,
            Some(Payload::Json(text)) => {
                let text = match in_body {
                    Some((name, token)) => with_member(text, name, token.expose())?,
                    None => text.clone(),
                };
                sending.header(CONTENT_TYPE, "application/json").body(text.as_bytes().to_vec())
            }
            Some(Payload::Form(form)) => {
                let pairs = form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let token = in_body.map(|(name, token)| (name.as_str(), token.expose()));
                let mut body = url::form_urlencoded::Serializer::new(String::new());
                body.extend_pairs(pairs.chain(token));
                sending.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.finish())
            }
        })
    }
}

/// A JSON object with one text more.
fn with_member(object: &str, name: &str, text: &str) -> Option<Zeroizing<String>> {
    let rest = object.strip_prefix('{')?;
    let name = serde_json::to_string(name).ok()?;
    let text = Zeroizing::new(serde_json::to_string(text).ok()?);
    let comma = if rest.starts_with('}') { "" } else { "," };
    Some(Zeroizing::new(format!("{{{name}:{}{comma}{rest}", *text)))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return true };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json") || kind == "text/json"
}

/// What time it is for whoever answered (RFC 9110, section 6.6.1).
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(Timestamp::from_ms(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond()))
}

/// Whether a header speaks of a limit, whatever it says.
fn speaks_of_a_limit(headers: &HeaderMap, limits: &Limits) -> bool {
    let named = limits.wait.iter().any(|wait| headers.contains_key(wait.header.as_str()));
    named
        || headers.keys().any(|name| {
            let name = name.as_str();
            name.contains("ratelimit")
                || name.contains("rate-limit")
                || name.contains("limit-info")
                || name.contains("floodcontrol")
        })
}

/// For how long the CRM wants to be left alone, in milliseconds: the first of the profile's headers that is there, else
/// `Retry-After` (RFC 9110, section 10.2.3).
pub(super) fn pause_of(limits: &Limits, headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let told = limits.wait.iter().find_map(|wait| pause_in(text(wait.header.as_str())?, wait.unit, now));
    let pause = told.or_else(|| pause_in(text("retry-after")?, WaitUnit::S, now))?;
    Some(pause.clamp(1_000, PAUSE_MS_MAX))
}

fn pause_in(text: &str, unit: WaitUnit, now: Timestamp) -> Option<i64> {
    if let Ok(date) = jiff::fmt::rfc2822::parse(text) {
        return Some(date.timestamp().as_millisecond().saturating_sub(now.ms()));
    }
    // Some send fractions of seconds.
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: i64 = whole.parse().ok()?;
    let up = i64::from(fraction.bytes().any(|byte| byte != b'0'));
    let number = number.checked_add(up)?;
    Some(match unit {
        WaitUnit::S => number.checked_mul(1_000)?,
        WaitUnit::Ms => number,
        WaitUnit::EpochS => number.checked_mul(1_000)?.saturating_sub(now.ms()),
        WaitUnit::EpochMs => number.saturating_sub(now.ms()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::profile::limits::Wait;

    fn pause(name: &'static str, unit: WaitUnit, text: &str) -> Option<i64> {
        let limits = Limits { wait: vec![Wait { header: name.to_owned(), unit }], ..Limits::default() };
        let mut headers = HeaderMap::new();
        headers.insert(name, text.parse().unwrap());
        pause_of(&limits, &headers, "2026-11-21T09:00:00Z".parse().unwrap())
    }

    #[test]
    fn the_pause_that_a_crm_asks_for_is_read_in_every_unit() {
        assert_eq!(pause("retry-after", WaitUnit::S, "30"), Some(30_000));
        assert_eq!(pause("retry-after", WaitUnit::S, "0.25"), Some(1_000));
        assert_eq!(pause("retry-after", WaitUnit::S, "Sat, 21 Nov 2026 09:01:00 GMT"), Some(60_000));
        assert_eq!(pause("x-reset", WaitUnit::Ms, "2500"), Some(2_500));
        assert_eq!(pause("x-reset", WaitUnit::EpochS, "1795251610"), Some(10_000));
        assert_eq!(pause("x-reset", WaitUnit::EpochMs, "1795251604000"), Some(4_000));
        assert_eq!(pause("x-reset", WaitUnit::EpochS, "1"), Some(1_000), "a time that is over");
        assert_eq!(
            pause("retry-after", WaitUnit::S, "999999999"),
            Some(300_000),
            "a CRM can't send us away for ever"
        );
        for text in ["", "soon", "-", "99999999999999999999"] {
            assert_eq!(pause("retry-after", WaitUnit::S, text), None, "{text}");
        }
    }

    #[test]
    fn a_token_goes_into_a_body_as_a_member() {
        assert_eq!(*with_member("{}", "auth", "a\"b").unwrap(), r#"{"auth":"a\"b"}"#);
        assert_eq!(*with_member(r#"{"x":1}"#, "auth", "t").unwrap(), r#"{"auth":"t","x":1}"#);
        assert!(with_member("[1]", "auth", "t").is_none());
    }
}
