//! How the bridge proves who it is.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::operation::Operation;
use super::template::Template;
use crate::connector::pointer::Pointer;

/// Table `[auth]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Table")]
pub enum Auth {
    /// Fixed headers.
    Headers(BTreeMap<String, Template>),
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user.
        user: Template,
        /// The password.
        password: Template,
    },
    /// The secret is a segment of the paths.
    InPath,
    /// OAuth 2.0 (RFC 6749).
    Oauth2(Box<Oauth2>),
    /// Each request is signed.
    Hmac(Box<Hmac>),
    /// A log-in gives a session.
    Login(Box<Login>),
}

/// OAuth 2.0.
#[derive(Debug, Clone)]
pub struct Oauth2 {
    /// What the token is given for.
    pub grant: OauthGrant,
    /// Where tokens are given: a path below the base address, or a whole address.
    pub token: Template,
    /// Where the client says who it is.
    pub client: ClientIn,
    /// The client.
    pub client_id: Template,
    /// The client's secret.
    pub client_secret: Template,
    /// The scope, if one is asked for.
    pub scope: Option<Template>,
    /// Further parameters of the token request.
    pub extra: BTreeMap<String, Template>,
    /// The first refresh token.
    pub refresh: Option<Template>,
    /// Whether each token answer brings a new refresh token and ends the old one.
    pub rotates: bool,
    /// User of the password grant.
    pub user: Option<Template>,
    /// Password of the password grant.
    pub password: Option<Template>,
    /// How long a token lives if the answer does not say.
    pub lifetime_s: u32,
    /// Where the token goes in requests.
    pub place: TokenPlace,
}

/// What an OAuth token is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OauthGrant {
    /// RFC 6749, section 4.4.
    ClientCredentials,
    /// RFC 6749, section 6.
    RefreshToken,
    /// RFC 6749, section 4.3.
    Password,
}

/// Where the client says who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientIn {
    /// `client_id` and `client_secret` in the form.
    #[default]
    Body,
    /// HTTP Basic.
    Basic,
}

/// Where a token goes in requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// Headers with `{token}`.
    Headers(BTreeMap<String, Template>),
    /// A parameter of the query.
    Query(String),
    /// A member or parameter of the body.
    Body(String),
    /// A cookie of that name.
    Cookie(String),
    /// Where `{token}` stands in the operations.
    Holes,
}

/// A signature over each request.
#[derive(Debug, Clone)]
pub struct Hmac {
    /// The header that carries it.
    pub header: String,
    /// The hash.
    pub algorithm: HashKind,
    /// What is signed: `{method}`, `{path}`.
    pub message: Template,
    /// How the signature is written.
    pub value: HmacValue,
    /// The public half: the name of the key.
    pub key: Template,
}

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashKind {
    /// SHA-1, for CRMs that know no better.
    Sha1,
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
}

/// How a request signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HmacValue {
    /// base64 of `key:hex of the digest`
    Base64OfKeyColonHex,
    /// The digest in hex.
    Hex,
    /// The digest in base64.
    Base64,
}

/// A log-in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The request.
    pub request: Operation,
    /// Where the session is in the answer.
    pub token: Option<Pointer>,
    /// How long it lives.
    pub lifetime_s: u32,
    /// Where it goes in requests. A cookie is taken from the answer's `Set-Cookie`.
    pub place: TokenPlace,
}

/// `[auth]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    kind: Kind,
    headers: Option<BTreeMap<String, Template>>,
    user: Option<Template>,
    password: Option<Template>,
    grant: Option<OauthGrant>,
    token: Option<String>,
    client: Option<ClientIn>,
    client_id: Option<Template>,
    client_secret: Option<Template>,
    scope: Option<Template>,
    extra: Option<BTreeMap<String, Template>>,
    refresh: Option<Template>,
    rotates: Option<bool>,
    lifetime_s: Option<u32>,
    header: Option<String>,
    value: Option<String>,
    #[serde(rename = "in")]
    place: Option<String>,
    algorithm: Option<HashKind>,
    message: Option<Template>,
    key: Option<Template>,
    request: Option<Operation>,
    cookie: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Headers,
    Basic,
    InPath,
    Oauth2,
    Hmac,
    Login,
}

/// Keys of `[auth]` and the kinds they belong to.
const KEYS: &[(&str, &[Kind])] = &[
    ("headers", &[Kind::Headers, Kind::Login]),
    ("user", &[Kind::Basic, Kind::Oauth2]),
    ("password", &[Kind::Basic, Kind::Oauth2]),
    ("grant", &[Kind::Oauth2]),
    ("token", &[Kind::Oauth2, Kind::Login]),
    ("client", &[Kind::Oauth2]),
    ("client_id", &[Kind::Oauth2]),
    ("client_secret", &[Kind::Oauth2]),
    ("scope", &[Kind::Oauth2]),
    ("extra", &[Kind::Oauth2]),
    ("refresh", &[Kind::Oauth2]),
    ("rotates", &[Kind::Oauth2]),
    ("lifetime_s", &[Kind::Oauth2, Kind::Login]),
    ("header", &[Kind::Oauth2, Kind::Hmac]),
    ("value", &[Kind::Oauth2, Kind::Hmac]),
    ("in", &[Kind::Oauth2]),
    ("algorithm", &[Kind::Hmac]),
    ("message", &[Kind::Hmac]),
    ("key", &[Kind::Hmac]),
    ("request", &[Kind::Login]),
    ("cookie", &[Kind::Login]),
];

const LIFETIME_S_MAX: u32 = 31 * 24 * 3600;

impl Table {
    fn given(&self) -> Vec<&'static str> {
        let given = [
            self.headers.is_some(),
            self.user.is_some(),
            self.password.is_some(),
            self.grant.is_some(),
            self.token.is_some(),
            self.client.is_some(),
            self.client_id.is_some(),
            self.client_secret.is_some(),
            self.scope.is_some(),
            self.extra.is_some(),
            self.refresh.is_some(),
            self.rotates.is_some(),
            self.lifetime_s.is_some(),
            self.header.is_some(),
            self.value.is_some(),
            self.place.is_some(),
            self.algorithm.is_some(),
            self.message.is_some(),
            self.key.is_some(),
            self.request.is_some(),
            self.cookie.is_some(),
        ];
        KEYS.iter().zip(given).filter(|(_, given)| *given).map(|((key, _), _)| *key).collect()
    }

    fn oauth2(self) -> Result<Oauth2, String> {
        let lifetime_s = lifetime(self.lifetime_s, 3600)?;
        let place = match self.place.as_deref().map(|place| place.split_once(':').unwrap_or((place, ""))) {
            None => {
                let value = self.value.unwrap_or_else(|| "Bearer {token}".to_owned());
                let header = self.header.unwrap_or_else(|| "Authorization".to_owned());
                TokenPlace::Headers(BTreeMap::from([(header, Template::parse(&value)?)]))
            }
            Some(("query", name)) if !name.is_empty() => TokenPlace::Query(name.to_owned()),
            Some(("body", name)) if !name.is_empty() => TokenPlace::Body(name.to_owned()),
            Some(_) => return Err("auth.in is \"query:name\" or \"body:name\"".to_owned()),
        };
        let grant = need(self.grant, "grant")?;
        if grant == OauthGrant::RefreshToken && self.refresh.is_none() {
            return Err(
                "grant = \"refresh-token\" needs `refresh`, such as \"{secret.refresh_token}\"".to_owned()
            );
        }
        if grant == OauthGrant::Password && (self.user.is_none() || self.password.is_none()) {
            return Err("grant = \"password\" needs `user` and `password`".to_owned());
        }
        if self.rotates == Some(true) && grant != OauthGrant::RefreshToken {
            return Err("`rotates` belongs to grant = \"refresh-token\"".to_owned());
        }
        Ok(Oauth2 {
            grant,
            token: Template::parse(&need(self.token, "token")?)?,
            client: self.client.unwrap_or_default(),
            client_id: need(self.client_id, "client_id")?,
            client_secret: self.client_secret.unwrap_or_default(),
            scope: self.scope,
            extra: self.extra.unwrap_or_default(),
            refresh: self.refresh,
            rotates: self.rotates.unwrap_or_default(),
            user: self.user,
            password: self.password,
            lifetime_s,
            place,
        })
    }

    fn hmac(self) -> Result<Hmac, String> {
        let value = match need(self.value, "value")?.as_str() {
            "base64-of-key-colon-hex" => HmacValue::Base64OfKeyColonHex,
            "hex" => HmacValue::Hex,
            "base64" => HmacValue::Base64,
            _ => return Err("auth.value is \"base64-of-key-colon-hex\", \"hex\" or \"base64\"".to_owned()),
        };
        Ok(Hmac {
            header: need(self.header, "header")?,
            algorithm: need(self.algorithm, "algorithm")?,
            message: need(self.message, "message")?,
            value,
            key: need(self.key, "key")?,
        })
    }

    fn login(self) -> Result<Login, String> {
        let token = self.token.map(Pointer::try_from).transpose()?;
        let place = match (self.headers, self.cookie) {
            (Some(headers), None) => TokenPlace::Headers(headers),
            (None, Some(name)) => TokenPlace::Cookie(name),
            (None, None) => TokenPlace::Holes,
            (Some(_), Some(_)) => return Err("a session goes into `headers` or a `cookie`".to_owned()),
        };
        if token.is_none() == !matches!(place, TokenPlace::Cookie(_)) {
            return Err(
                "kind = \"login\" needs `token`, the session's place in the answer, or `cookie`".to_owned()
            );
        }
        let lifetime_s = lifetime(self.lifetime_s, 3000)?;
        Ok(Login { request: need(self.request, "request")?, token, lifetime_s, place })
    }
}

fn need<T>(value: Option<T>, key: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("auth needs `{key}` for this kind"))
}

fn lifetime(given: Option<u32>, default: u32) -> Result<u32, String> {
    let seconds = given.unwrap_or(default);
    if (60..=LIFETIME_S_MAX).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("auth.lifetime_s is between 60 and {LIFETIME_S_MAX}"))
    }
}

impl TryFrom<Table> for Auth {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        let kind = table.kind;
        let belongs = |key: &str| KEYS.iter().any(|(known, kinds)| *known == key && kinds.contains(&kind));
        if let Some(key) = table.given().into_iter().find(|key| !belongs(key)) {
            return Err(format!("auth.{key} does not belong to this kind"));
        }
        Ok(match kind {
            Kind::Headers => {
                let headers = need(table.headers, "headers")?;
                if headers.is_empty() {
                    return Err("auth.headers names at least one header".to_owned());
                }
                Self::Headers(headers)
            }
            Kind::Basic => {
                Self::Basic { user: need(table.user, "user")?, password: need(table.password, "password")? }
            }
            Kind::InPath => Self::InPath,
            Kind::Oauth2 => Self::Oauth2(Box::new(table.oauth2()?)),
            Kind::Hmac => Self::Hmac(Box::new(table.hmac()?)),
            Kind::Login => Self::Login(Box::new(table.login()?)),
        })
    }
}
