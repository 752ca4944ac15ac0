//! Where a key goes in a request, and how a session is come by.

use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use super::super::ask::{Asker, Fillings, Pen};
use super::super::client::pause_of;
use super::super::net::small_body;
use super::super::pick::pick;
use super::super::profile::Profile;
use super::super::profile::auth::{Auth, Login, TokenPlace};
use super::super::profile::template::Template;
use super::super::trouble::{Failure, Trouble};
use super::keeper::{Fresh, Held, Keeper, Means};
use super::{Credentials, basic, sensitive};

impl Keeper {
    /// The token where the profile says.
    pub(super) fn with(&self, held: &Held) -> Result<Credentials, Failure> {
        let place = match &self.auth {
            Auth::Oauth2(oauth) => &oauth.place,
            Auth::Login(login) => &login.place,
            _ => return Ok(self.fixed.clone()),
        };
        let mut credentials =
            Credentials { base: held.base.clone(), generation: held.generation, ..self.fixed.clone() };
        let token = held.token.clone();
        let unusable = |_| Failure::from(Trouble::Credentials);
        match place {
            TokenPlace::Headers(templates) => {
                let fillings = Fillings { token: Some(token), ..self.fillings.clone() };
                let headers = Pen::plain(&fillings).headers(templates);
                for (name, value) in headers.map_err(|_| Failure::from(Trouble::Unaskable))? {
                    let (name, value) = sensitive(&name, &value).map_err(unusable)?;
                    credentials.headers.insert(name, value);
                }
            }
            TokenPlace::Cookie(name) => {
                let pair = Zeroizing::new(format!("{name}={}", token.expose()));
                let (name, value) = sensitive("cookie", &pair).map_err(unusable)?;
                credentials.headers.insert(name, value);
            }
            TokenPlace::Query(name) => credentials.query = Some((name.clone(), token)),
            TokenPlace::Body(name) => credentials.body = Some((name.clone(), token)),
            TokenPlace::Holes => credentials.token = Some(token),
        }
        Ok(credentials)
    }

    pub(super) async fn log_in(&self, login: &Login, means: &Means<'_>) -> Result<Fresh, Failure> {
        let asker = Asker { profile: means.profile, fillings: &self.fillings, walls: means.walls };
        let request = asker.other(&login.request, None, None).map_err(|_| Trouble::Unaskable)?;
        let base = self.configured.as_ref().ok_or(Trouble::NotOffered)?;
        let url = request.url(base).ok_or(Trouble::Unaskable)?;
        let sending = request.build(means.net, url, None).ok_or(Trouble::Unaskable)?;
        let response = means.net.send(sending).await?;
        let now = self.clock.now();
        let status = response.status().as_u16();
        match status {
            200..300 => {}
            429 => {
                let pause_ms = pause_of(&means.profile.limits, response.headers(), now);
                return Err(Failure {
                    trouble: Trouble::RateLimited,
                    pause_ms: Some(pause_ms.unwrap_or(5_000)),
                });
            }
            300..400 => return Err(Trouble::Redirect.into()),
            500.. => return Err(Trouble::ServerError.into()),
            _ => return Err(Trouble::Credentials.into()),
        }
        let session = match (&login.token, &login.place) {
            (_, TokenPlace::Cookie(name)) => cookie(response.headers(), name),
            (Some(at), _) => {
                let body = small_body(response).await?;
                pick(&body, at).and_then(|token| token.text())
            }
            (None, _) => None,
        };
        let session = session.filter(|text| {
            (1..=8 * 1024).contains(&text.len())
                && text.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b';')
        });
        // An answer without a session is how many say that the key is wrong.
        let access = session.ok_or(Trouble::Credentials)?;
        Ok(Fresh { access, expires_at: now.plus_ms(i64::from(login.lifetime_s) * 1_000), base: None })
    }
}

fn cookie(headers: &reqwest::header::HeaderMap, name: &str) -> Option<Zeroizing<String>> {
    let all = headers.get_all(reqwest::header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.filter_map(|text| text.split(';').next()?.trim().split_once('='));
    let mut named = pairs.filter(|(known, _)| *known == name);
    named.next_back().map(|(_, value)| Zeroizing::new(value.to_owned()))
}

pub(super) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What never changes.
pub(super) fn fixed(auth: &Auth, fillings: &Fillings) -> Result<Credentials, String> {
    let pen = Pen::plain(fillings);
    let unusable = "the CRM's secret has letters that can't be sent";
    let text = |template| pen.text(template).ok().flatten().ok_or_else(|| unusable.to_owned());
    let mut credentials = Credentials::default();
    match auth {
        Auth::Headers(headers) => {
            for (name, value) in pen.headers(headers).map_err(|_| unusable.to_owned())? {
                let (name, value) = sensitive(&name, &value)?;
                credentials.headers.insert(name, value);
            }
        }
        Auth::Basic { user, password } => {
            let (name, value) = basic(&text(user)?, &text(password)?)?;
            credentials.headers.insert(name, value);
        }
        Auth::InPath | Auth::Oauth2(_) | Auth::Hmac(_) | Auth::Login(_) => {}
    }
    Ok(credentials)
}

/// Where tokens are given: below the base address, or at an address of its own.
pub(super) fn address(template: &Template, fillings: &Fillings, configured: Option<&Url>) -> Option<Url> {
    let text = Pen::plain(fillings).text(template).ok()??;
    match text.strip_prefix('/') {
        Some(path) => {
            let mut url = configured?.clone();
            url.path_segments_mut().ok()?.pop_if_empty().extend(path.split('/'));
            Some(url)
        }
        None => Url::parse(&text).ok().filter(|url| url.scheme() == "https" && url.username().is_empty()),
    }
}

/// Every secret that the profile names must be set.
pub(super) fn check_secrets(profile: &Profile, fillings: &Fillings) -> Result<(), String> {
    let missing: Vec<String> = profile
        .secret_names()
        .into_iter()
        .filter(|name| match name {
            None => fillings.secret.is_none(),
            Some(name) => !fillings.secrets.contains_key(name),
        })
        .map(|name| match name {
            None => "set crm.secret_file to a file with the CRM's key".to_owned(),
            Some(name) => format!("{} needs crm.secrets.{name} = {{ file = \"…\" }}", profile.head.title),
        })
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n")) }
}
