//! One token request of OAuth 2.0 (RFC 6749) and what its answer means.

use service_kit::Timestamp;
use url::Url;
use zeroize::Zeroizing;

use super::super::ask::{Fillings, Pen};
use super::super::client::pause_of;
use super::super::net::{Net, small_body};
use super::super::pick::pick;
use super::super::pin::base_from_answer;
use super::super::pointer::Pointer;
use super::super::profile::HostFromToken;
use super::super::profile::auth::{ClientIn, Oauth2, OauthGrant};
use super::super::profile::limits::Limits;
use super::super::trouble::{Failure, Trouble};
use super::basic;
use crate::walls::{Wall, Walls};

const LIFETIME_S_MAX: i64 = 31 * 24 * 3600;
/// Codes that mean: this refresh token is none any more. The second and third are Zoho's and Bitrix24's words.
const SPENT: &[&str] = &["invalid_grant", "invalid_code", "expired_token", "invalid_token"];

/// A token that was just given.
pub(super) struct Given {
    pub(super) access: Zeroizing<String>,
    pub(super) refresh: Option<Zeroizing<String>>,
    pub(super) expires_at: Timestamp,
    /// The base address in the answer, or why it is not followed; the tokens are none the worse for it.
    pub(super) base: Result<Option<Url>, Trouble>,
}

/// A token request.
pub(super) struct TokenRequest<'a> {
    pub(super) net: &'a Net,
    pub(super) oauth: &'a Oauth2,
    pub(super) fillings: &'a Fillings,
    pub(super) url: &'a Url,
    pub(super) configured: Option<&'a Url>,
    pub(super) from_token: Option<&'a HostFromToken>,
    pub(super) limits: &'a Limits,
    pub(super) now: Timestamp,
    pub(super) walls: Walls,
}

impl TokenRequest<'_> {
    /// Asks for a token; with that refresh token, if the grant is one for it.
    pub(super) async fn send(&self, refresh: Option<&str>) -> Result<Given, Failure> {
        let mut request = self.net.request("POST", self.url.clone());
        let form = self.form(refresh).ok_or(Trouble::Unaskable)?;
        if self.oauth.client == ClientIn::Basic {
            let pen = Pen::plain(self.fillings);
            let text = |template| pen.text(template).ok().flatten();
            let user = text(&self.oauth.client_id).ok_or(Trouble::Unaskable)?;
            let password = text(&self.oauth.client_secret).ok_or(Trouble::Unaskable)?;
            let (name, value) = basic(&user, &password).map_err(|_| Trouble::Unaskable)?;
            request = request.header(name, value);
        }
        let pairs = form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let response = self.net.send(request).await?;
        let status = response.status().as_u16();
        let pause_ms = pause_of(self.limits, response.headers(), self.now);
        match status {
            429 => {
                return Err(Failure {
                    trouble: Trouble::RateLimited,
                    pause_ms: Some(pause_ms.unwrap_or(5_000)),
                });
            }
            300..400 => return Err(Trouble::Redirect.into()),
            500.. => return Err(Trouble::ServerError.into()),
            _ => {}
        }
        let body = small_body(response).await?;
        self.given(&body, status, refresh.is_some())
    }

    fn form(&self, refresh: Option<&str>) -> Option<Vec<(String, Zeroizing<String>)>> {
        let pen = Pen::plain(self.fillings);
        let plain = |text: &str| Some(Zeroizing::new(text.to_owned()));
        let text = |template| pen.text(template).ok().flatten();
        let mut form = Vec::new();
        let mut add = |name: &str, value: Option<Zeroizing<String>>| {
            form.push((name.to_owned(), value?));
            Some(())
        };
        match self.oauth.grant {
            OauthGrant::ClientCredentials => add("grant_type", plain("client_credentials"))?,
            OauthGrant::RefreshToken => {
                add("grant_type", plain("refresh_token"))?;
                add("refresh_token", refresh.and_then(plain))?;
            }
            OauthGrant::Password => {
                add("grant_type", plain("password"))?;
                add("username", text(self.oauth.user.as_ref()?))?;
                add("password", text(self.oauth.password.as_ref()?))?;
            }
        }
        if self.oauth.client == ClientIn::Body {
            add("client_id", text(&self.oauth.client_id))?;
            if !self.oauth.client_secret.is_empty() {
                add("client_secret", text(&self.oauth.client_secret))?;
            }
        }
        if let Some(scope) = &self.oauth.scope {
            add("scope", text(scope))?;
        }
        for (name, template) in &self.oauth.extra {
            add(name, text(template))?;
        }
        Some(form)
    }

    fn given(&self, body: &[u8], status: u16, with_refresh: bool) -> Result<Given, Failure> {
        let member = |name: &str| pick(body, &Pointer::member(name).ok()?);
        let access = member("access_token").and_then(|token| token.text()).filter(|token| is_token(token));
        let Some(access) = access.filter(|_| (200..300).contains(&status)) else {
            let code = member("error").and_then(|code| code.text());
            let spent = code.is_some_and(|code| SPENT.contains(&code.as_str()));
            return Err(match status {
                _ if spent && with_refresh => Trouble::TokenSpent,
                200..300 | 400 | 401 | 403 => Trouble::Credentials,
                _ => Trouble::Refused,
            }
            .into());
        };
        let lifetime_s = member("expires_in")
            .and_then(|seconds| seconds.number())
            .unwrap_or_else(|| i64::from(self.oauth.lifetime_s))
            .clamp(1, LIFETIME_S_MAX);
        Ok(Given {
            access,
            refresh: member("refresh_token").and_then(|token| token.text()).filter(|token| is_token(token)),
            expires_at: self.now.plus_ms(lifetime_s * 1_000),
            base: self.base(body),
        })
    }

    /// The base address in an answer, if the profile says that there is one.
    fn base(&self, body: &[u8]) -> Result<Option<Url>, Trouble> {
        let Some(rule) = self.from_token else { return Ok(None) };
        let text = pick(body, &rule.at).and_then(|text| text.text()).ok_or(Trouble::UnexpectedShape)?;
        let base = base_from_answer(&text, self.configured, &rule.suffixes);
        base.or_else(|| self.unpinned(&text)).map(Some).ok_or(Trouble::HostRefused)
    }
}

impl TokenRequest<'_> {
    /// Whatever the answer says, where a test build has taken the wall away.
    fn unpinned(&self, text: &str) -> Option<Url> {
        if self.walls.stands(Wall::Pin) { None } else { Url::parse(text).ok() }
    }
}

/// Printable letters and not too many (RFC 6749, appendix A).
fn is_token(text: &str) -> bool {
    (1..=8 * 1024).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}
