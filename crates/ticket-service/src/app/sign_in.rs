//! Signing in and out, and finding out who is calling.

use std::net::IpAddr;

use service_kit::Secret;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::app::me::{Me, me_of};
use crate::app::rate_limit::caller_of;
use crate::app::sign_in_cache::FoundSignIn;
use crate::domain::actor::KeyScope;
use crate::domain::audit::Deed;
use crate::domain::{Actor, EmailAddress, ScopeSet};
use crate::error::TicketError;
use crate::store::sessions::SessionRecord;
use crate::store::{Scope, api_keys, audit, operators, sessions};

/// What the secrets of API keys begin with, so that people and scanners recognise them.
pub const KEY_PREFIX: &str = "gk_";
/// The random part of cookies and keys.
const TOKEN_BYTES: usize = 32;
/// How often the use of a session or a key is noted.
const NOTE_EVERY_MS: i64 = 60_000;

/// What a caller shows to prove who they are; only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The value of a session cookie.
    Session {
        /// SHA-256 in hexadecimal.
        hash: String,
    },
    /// The secret of an API key.
    ApiKey {
        /// SHA-256 in hexadecimal.
        hash: String,
    },
}

impl Credential {
    /// From the value of the cookie.
    pub fn session(token: &str) -> Self {
        Self::Session { hash: sha256(token) }
    }

    /// From the secret of a key.
    pub fn api_key(secret: &str) -> Self {
        Self::ApiKey { hash: sha256(secret) }
    }

    fn hash(&self) -> &str {
        match self {
            Self::Session { hash } | Self::ApiKey { hash } => hash,
        }
    }
}

/// SHA-256 in hexadecimal. Enough for secrets of 256 random bits, which can't be guessed however fast one hashes.
pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// A new random secret of 256 bits.
pub(crate) fn new_token(app: &App) -> String {
    app.ids.token(TOKEN_BYTES)
}

/// Starts a session for the right mail address and password; answers the cookie's value.
///
/// # Errors
/// [`TicketError::CredentialsWrong`], alike for an unknown address, a wrong password and a deactivated operator;
/// [`TicketError::TooMany`] after too many failed attempts.
pub async fn sign_in(
    app: &App,
    address: IpAddr,
    email: &str,
    password: Secret,
) -> Result<(Secret, Me), TicketError> {
    let caller = caller_of(address);
    // What is no address can't be anybody's; it is counted, and takes as long as the others.
    let folded = EmailAddress::new(email).map(|email| email.folded()).unwrap_or_default();
    app.limits.sign_in_address.attempt(&caller).map_err(TicketError::TooMany)?;
    app.limits.sign_in_email.attempt(&folded).map_err(TicketError::TooMany)?;
    let wanted = folded.clone();
    let found =
        app.store.read(&Actor::system(), move |scope| operators::find_by_email(scope, &wanted)).await?;
    let known = found.as_ref().map(|operator| operator.id.clone());
    let found = found.filter(|operator| operator.active);
    let stored = found.as_ref().map(|operator| operator.password_hash.clone());
    let fits = app.passwords.fits(password, stored).await?;
    let Some(operator) = found.filter(|_| fits) else {
        tracing::warn!(client.network = %caller, "a sign-in was refused");
        let refused = move |scope: &mut Scope<'_>| {
            // Whose address it was, if it was anybody's; never what was typed.
            audit::record(scope, Deed::SignInRefused, |event| match &known {
                Some(id) => event.with("operator", id),
                None => event,
            });
            Ok(())
        };
        app.store.write(&Actor::public(), refused).await?;
        return Err(TicketError::CredentialsWrong);
    };
    app.limits.sign_in_address.forgive(&caller);
    app.limits.sign_in_email.forgive(&folded);
    let token = Secret::new(new_token(app));
    let (hash, periods) = (sha256(token.expose()), app.config.sessions);
    let me = app
        .store
        .write(&Actor::system(), move |scope| {
            // Between the check and now the operator may have been deactivated or given another password.
            let now = operators::find(scope, &operator.id)?;
            if !now.active || now.password_hash != operator.password_hash {
                return Err(TicketError::CredentialsWrong);
            }
            sessions::delete_ended(scope, periods.idle_ms())?;
            let session = SessionRecord {
                token_hash: hash,
                operator_id: operator.id.clone(),
                created_at: scope.now.ms(),
                last_seen_at: scope.now.ms(),
                expires_at: scope.now.plus_ms(periods.absolute_ms()).ms(),
            };
            sessions::insert(scope, &session)?;
            scope.actor = Actor::operator(now.id.clone(), now.name.clone(), now.role);
            audit::record(scope, Deed::SignedIn, |event| event);
            Ok(me_of(now))
        })
        .await?;
    tracing::info!(operator.id = me.id, "an operator signed in");
    Ok((token, me))
}

/// Ends the session.
///
/// # Errors
/// [`TicketError::Forbidden`] for API keys, which are revoked instead.
pub async fn sign_out(app: &App, actor: &Actor, credential: &Credential) -> Result<(), TicketError> {
    let Credential::Session { hash } = credential.clone() else {
        return Err(TicketError::Forbidden("An API key has no session to end; revoke the key instead."));
    };
    app.store
        .write(actor, move |scope| {
            audit::record(scope, Deed::SignedOut, |event| event);
            sessions::delete(scope, &hash)
        })
        .await?;
    app.sign_ins.forget_all();
    Ok(())
}

/// Who is calling with this credential. Keeps a session from ending for idleness.
///
/// # Errors
/// [`TicketError::NotSignedIn`] if it is unknown, revoked, or has ended.
pub async fn who_is(app: &App, credential: &Credential) -> Result<Actor, TicketError> {
    let (mut found, generation) = find_valid(app, credential).await?;
    let now = app.clock.now().ms();
    if now - found.noted_at >= NOTE_EVERY_MS {
        note_use(app, credential.clone()).await;
        found.noted_at = now;
        app.sign_ins.insert(credential.hash(), found.clone(), generation);
    }
    Ok(found.actor)
}

/// Who would be calling with this credential, asked by the service itself: a page that is merely open is no use of it.
///
/// # Errors
/// As [`who_is`].
pub async fn who_would_be(app: &App, credential: &Credential) -> Result<Actor, TicketError> {
    Ok(find_valid(app, credential).await?.0.actor)
}

async fn find_valid(app: &App, credential: &Credential) -> Result<(FoundSignIn, u64), TicketError> {
    let (cached, generation) = app.sign_ins.get(credential.hash());
    let found = match cached {
        Some(found) => found,
        None => {
            let found = look_up(app, credential.clone()).await?;
            app.sign_ins.insert(credential.hash(), found.clone(), generation);
            found
        }
    };
    let now = app.clock.now().ms();
    let idle_ms = app.config.sessions.idle_ms();
    let idle = matches!(credential, Credential::Session { .. }) && now - found.noted_at >= idle_ms;
    if now >= found.ends_at || idle {
        return Err(TicketError::NotSignedIn);
    }
    Ok((found, generation))
}

async fn look_up(app: &App, credential: Credential) -> Result<FoundSignIn, TicketError> {
    let found = app
        .store
        .read(&Actor::system(), move |scope| match credential {
            Credential::Session { hash } => {
                Ok(sessions::find(scope, &hash)?.map(|(session, operator)| FoundSignIn {
                    actor: Actor::operator(operator.id, operator.name, operator.role),
                    noted_at: session.last_seen_at,
                    ends_at: session.expires_at,
                }))
            }
            Credential::ApiKey { hash } => Ok(api_keys::find_valid(scope, &hash)?.map(|key| FoundSignIn {
                actor: Actor::api_key(key.id, key.name, key.role, scopes_of(&key.scopes)),
                noted_at: key.last_used_at.unwrap_or(0),
                ends_at: i64::MAX,
            })),
        })
        .await?;
    found.ok_or(TicketError::NotSignedIn)
}

/// Notes that the credential was used. Reading must go on when nothing can be written, so a failure is logged only.
async fn note_use(app: &App, credential: Credential) {
    let noted = app
        .store
        .write(&Actor::system(), move |scope| match credential {
            Credential::Session { hash } => sessions::touch(scope, &hash),
            Credential::ApiKey { hash } => api_keys::touch(scope, &hash),
        })
        .await;
    if let Err(error) = noted {
        tracing::warn!(error.cause = %error, "the use of a session or key could not be noted");
    }
}

/// The scopes as stored: names separated by spaces. A name that this version does not know grants nothing.
pub(crate) fn scopes_of(text: &str) -> ScopeSet {
    ScopeSet::of(text.split_whitespace().filter_map(|name| name.parse::<KeyScope>().ok()).collect())
}
