//! Holds the key to a CRM and renews it in time: one request for all who wait, early, and again when the CRM refuses it.
//!
//! A refresh token that can be used once is the dangerous kind. The order is: take the lease (one process), note that
//! the CRM is being asked, ask, keep the new tokens on the disk, only then use them. Whatever stops in between leaves a
//! state that can be told: asked and not ended, or spent, and then a person has to authorise the bridge again.

use std::time::Duration;

use service_kit::{Clock, Secret, Timestamp};
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use super::super::Settings;
use super::super::ask::{Fillings, Pen};
use super::super::net::Net;
use super::super::profile::Profile;
use super::super::profile::auth::{Auth, Oauth2, OauthGrant};
use super::super::trouble::{Failure, Trouble};
use super::Credentials;
use super::place::{address, check_secrets, fixed, hash};
use super::token::{Given, TokenRequest};
use crate::store::tokens::{KeptTokens, Lease, TokenRow, TokenState, TokenStore};
use crate::walls::Walls;

const LEASE_MS: i64 = 30_000;
/// How long a process waits for another one that renews the tokens.
const LEASE_WAIT_TRIES: u32 = 100;
const LEASE_WAIT_MS: u64 = 100;
/// After a refusal nobody asks for a token again for so long.
const REST_MS: i64 = 30_000;
/// For so long a refusal of one record does not renew the token, after a new one has not helped.
const IN_VAIN_MS: i64 = 600_000;
/// A token is renewed when a tenth of its life is left, at most five minutes before its end.
const EARLY_MS_MAX: i64 = 300_000;

/// Holds the key to a CRM. No `Debug`.
pub struct Keeper {
    pub(super) auth: Auth,
    pub(super) fillings: Fillings,
    pub(super) fixed: Credentials,
    /// Where tokens are given.
    token_url: Option<Url>,
    pub(super) configured: Option<Url>,
    store: Option<TokenStore>,
    pub(super) clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// New tokens that could not be kept yet; not used until they are.
    unsaved: Option<KeptTokens>,
    /// The last refusal, and until when it is repeated without asking.
    refused: Option<(Failure, Timestamp)>,
    /// Hash of the access token that the CRM did not accept last, so that it is not taken from another process again.
    refused_token: Option<String>,
    generation: u64,
    /// When a token just given was refused as well.
    in_vain: Option<Timestamp>,
}

#[derive(Clone)]
pub(super) struct Held {
    pub(super) token: Secret,
    pub(super) renew_at: Timestamp,
    pub(super) base: Option<Url>,
    pub(super) generation: u64,
}

/// What a keeper is made of.
pub struct KeeperParts<'a> {
    /// How to ask.
    pub profile: &'a Profile,
    /// What is set for it.
    pub settings: &'a Settings,
    /// The base address in the settings.
    pub configured: Option<Url>,
    /// Where tokens are given, if the settings say so.
    pub token_url: Option<Url>,
    /// Where tokens that change with each use are kept.
    pub store: Option<TokenStore>,
    /// The time.
    pub clock: Clock,
}

/// What it takes to ask for a token.
pub(in crate::connector) struct Means<'a> {
    pub(in crate::connector) net: &'a Net,
    pub(in crate::connector) profile: &'a Profile,
    pub(in crate::connector) walls: Walls,
}

impl Keeper {
    /// A keeper; nothing is asked yet.
    ///
    /// # Errors
    /// What is missing or wrong, in a sentence without the secret.
    pub fn new(parts: KeeperParts<'_>) -> Result<Self, String> {
        let KeeperParts { profile, settings, configured, token_url, store, clock } = parts;
        let fillings = settings.fillings().clone();
        check_secrets(profile, &fillings)?;
        let fixed = fixed(&profile.auth, &fillings)?;
        let token_url = match &profile.auth {
            Auth::Oauth2(oauth) => {
                let own = address(&oauth.token, &fillings, configured.as_ref());
                Some(token_url.or(own).ok_or_else(|| {
                    "the address where tokens are given can't be made; is crm.base_url set?".to_owned()
                })?)
            }
            _ => None,
        };
        Ok(Self {
            auth: profile.auth.clone(),
            fillings,
            fixed,
            token_url,
            configured,
            store,
            clock,
            state: Mutex::default(),
        })
    }

    /// Where tokens are given, if they are.
    #[must_use]
    pub fn token_url(&self) -> Option<&Url> {
        self.token_url.as_ref()
    }

    /// What goes into a request now.
    pub(in crate::connector) async fn credentials(&self, means: &Means<'_>) -> Result<Credentials, Failure> {
        if !self.has_token() {
            return Ok(self.fixed.clone());
        }
        let mut state = self.state.lock().await;
        match state.held.clone().filter(|held| self.clock.now() < held.renew_at) {
            Some(held) => self.with(&held),
            None => self.renew(&mut state, means).await,
        }
    }

    /// The CRM has refused what had this generation. None if there is nothing newer to try, or if a request about one record was
    /// refused that a new token has not helped a short while ago.
    pub(in crate::connector) async fn after_refusal(
        &self,
        generation: u64,
        about_one: bool,
        means: &Means<'_>,
    ) -> Result<Option<Credentials>, Failure> {
        if !self.has_token() {
            return Ok(None);
        }
        let mut state = self.state.lock().await;
        if let Some(held) = state.held.clone().filter(|held| held.generation > generation) {
            return self.with(&held).map(Some);
        }
        let in_vain = state.in_vain.is_some_and(|at| self.clock.now().since_ms(at) < IN_VAIN_MS);
        if about_one && in_vain && state.held.is_some() {
            return Ok(None);
        }
        if let Some(held) = state.held.take() {
            state.refused_token = Some(hash(held.token.expose()));
        }
        self.renew(&mut state, means).await.map(Some)
    }

    /// A token just given was refused as well, so it was not the token.
    pub(in crate::connector) async fn renewed_in_vain(&self) {
        self.state.lock().await.in_vain = Some(self.clock.now());
    }

    fn has_token(&self) -> bool {
        matches!(self.auth, Auth::Oauth2(_) | Auth::Login(_))
    }

    async fn renew(&self, state: &mut State, means: &Means<'_>) -> Result<Credentials, Failure> {
        if let Some((failure, _)) = state.refused.as_ref().filter(|(_, until)| self.clock.now() < *until) {
            return Err(failure.clone());
        }
        let given = match &self.auth {
            Auth::Oauth2(oauth) if oauth.grant == OauthGrant::RefreshToken => {
                self.refreshed(state, oauth, means).await
            }
            Auth::Oauth2(oauth) => self.ask_for_token(oauth, means, None).await.and_then(Fresh::of),
            Auth::Login(login) => self.log_in(login, means).await,
            _ => return Ok(self.fixed.clone()),
        };
        let fresh = match given {
            Ok(fresh) => fresh,
            Err(failure) => {
                if matches!(
                    failure.trouble,
                    Trouble::Credentials | Trouble::TokenSpent | Trouble::Refused | Trouble::HostRefused
                ) {
                    state.refused = Some((failure.clone(), self.clock.now().plus_ms(REST_MS)));
                    tracing::error!(crm.reason = failure.trouble.as_str(), "{}", failure.trouble.sentence());
                }
                return Err(failure);
            }
        };
        state.refused = None;
        state.generation += 1;
        let now = self.clock.now();
        let early_ms = (fresh.expires_at.since_ms(now) / 10).clamp(0, EARLY_MS_MAX);
        let held = Held {
            token: Secret::new(fresh.access.as_str()),
            renew_at: fresh.expires_at.plus_ms(-early_ms),
            base: fresh.base,
            generation: state.generation,
        };
        state.held = Some(held.clone());
        self.with(&held)
    }

    async fn ask_for_token(
        &self,
        oauth: &Oauth2,
        means: &Means<'_>,
        refresh: Option<&str>,
    ) -> Result<Given, Failure> {
        let request = TokenRequest {
            net: means.net,
            oauth,
            fillings: &self.fillings,
            url: self.token_url.as_ref().ok_or(Trouble::NotOffered)?,
            configured: self.configured.as_ref(),
            from_token: means.profile.host.from_token.as_ref(),
            limits: &means.profile.limits,
            now: self.clock.now(),
            walls: means.walls,
        };
        request.send(refresh).await
    }

    /// A token for a refresh token, kept before it is used.
    async fn refreshed(
        &self,
        state: &mut State,
        oauth: &Oauth2,
        means: &Means<'_>,
    ) -> Result<Fresh, Failure> {
        let first = oauth
            .refresh
            .as_ref()
            .and_then(|refresh| Pen::plain(&self.fillings).text(refresh).ok().flatten());
        let first = first.ok_or(Trouble::Unaskable)?;
        let Some(store) = &self.store else {
            if oauth.rotates {
                return Err(Trouble::TokenNotKept.into());
            }
            return self.ask_for_token(oauth, means, Some(&first)).await.and_then(Fresh::of);
        };
        let source = means.profile.head.name.as_str();
        let seed = hash(&first);
        if let Some(tokens) = state.unsaved.take() {
            // The CRM has given these and knows the old ones no more; first they go to the disk.
            let usable = !tokens.access.is_empty();
            let fresh = self.keep(store, source, state, tokens).await?;
            if usable {
                return Ok(fresh);
            }
        }
        let row = self.lease(store, source, &seed, state).await?;
        let row = match row {
            Turn::Mine(row) => row,
            Turn::Done(fresh) => return Ok(fresh),
        };
        let known = row.tokens.filter(|tokens| tokens.seed == seed);
        let now = self.clock.now();
        if row.state == TokenState::Spent && known.is_some() {
            store.release_as(source, TokenState::Spent, now).await.map_err(|_| Trouble::TokenNotKept)?;
            return Err(Trouble::TokenSpent.into());
        }
        if row.state == TokenState::Asking {
            tracing::warn!(
                "the bridge was stopped while it renewed the CRM's tokens; trying with the last ones known"
            );
        }
        store.asking(source, now).await.map_err(|_| Trouble::TokenNotKept)?;
        let refresh =
            known.as_ref().map_or_else(|| first.clone(), |known| Zeroizing::new(known.refresh.clone()));
        match self.ask_for_token(oauth, means, Some(&refresh)).await {
            Ok(given) => {
                let new = given.refresh.as_ref().unwrap_or(&refresh).to_string();
                let tokens = match &given.base {
                    Ok(base) => KeptTokens {
                        seed,
                        refresh: new,
                        access: given.access.to_string(),
                        expires_at_ms: given.expires_at.ms(),
                        base: base.as_ref().map(ToString::to_string),
                    },
                    // The old refresh token may be spent: the new one is kept whatever else is wrong with the answer.
                    Err(_) => {
                        KeptTokens { seed, refresh: new, access: String::new(), expires_at_ms: 0, base: None }
                    }
                };
                let fresh = self.keep(store, source, state, tokens).await?;
                given.base.map(|_| fresh).map_err(Failure::from)
            }
            Err(failure) if failure.trouble == Trouble::TokenSpent => {
                let spent = KeptTokens {
                    seed,
                    refresh: refresh.to_string(),
                    access: String::new(),
                    expires_at_ms: 0,
                    base: None,
                };
                store.spent(source, &spent, now).await.map_err(|_| Trouble::TokenNotKept)?;
                Err(failure)
            }
            Err(failure) => {
                // Whether the CRM has given new ones we can't know if the answer was lost; the state says so.
                let known_not = matches!(
                    failure.trouble,
                    Trouble::Unreachable | Trouble::RateLimited | Trouble::Credentials
                );
                let end = if known_not { TokenState::Ready } else { TokenState::Asking };
                store.release_as(source, end, now).await.map_err(|_| Trouble::TokenNotKept)?;
                Err(failure)
            }
        }
    }

    async fn keep(
        &self,
        store: &TokenStore,
        source: &str,
        state: &mut State,
        tokens: KeptTokens,
    ) -> Result<Fresh, Failure> {
        if store.keep(source, &tokens, self.clock.now()).await.is_err() {
            tracing::error!(
                "new tokens of the CRM can't be kept; they are not used until the database can be written"
            );
            state.unsaved = Some(tokens);
            return Err(Trouble::TokenNotKept.into());
        }
        Ok(Fresh::from(&tokens))
    }

    /// Waits until no other process renews the tokens, and takes what it left if that is good.
    async fn lease(
        &self,
        store: &TokenStore,
        source: &str,
        seed: &str,
        state: &State,
    ) -> Result<Turn, Failure> {
        for _ in 0..LEASE_WAIT_TRIES {
            let now = self.clock.now();
            let lease = store.lease(source, now, LEASE_MS).await.map_err(|_| Trouble::TokenNotKept)?;
            let (mine, row) = match lease {
                Lease::Mine(row) => (true, row),
                Lease::Theirs(row) => (false, row),
            };
            // Another process may have renewed them meanwhile.
            let held = state.held.as_ref().map(|held| hash(held.token.expose()));
            let good = row.tokens.as_ref().filter(|tokens| {
                let is = Some(hash(&tokens.access));
                tokens.seed == seed
                    && row.state == TokenState::Ready
                    && Timestamp::from_ms(tokens.expires_at_ms).since_ms(now) > 0
                    && is != held
                    && is != state.refused_token
            });
            if let Some(tokens) = good {
                let fresh = Fresh::from(tokens);
                if mine {
                    store
                        .release_as(source, TokenState::Ready, now)
                        .await
                        .map_err(|_| Trouble::TokenNotKept)?;
                }
                return Ok(Turn::Done(fresh));
            }
            if mine {
                return Ok(Turn::Mine(row));
            }
            tokio::time::sleep(Duration::from_millis(LEASE_WAIT_MS)).await;
        }
        Err(Trouble::Busy.into())
    }
}

/// Whose turn it is to renew.
enum Turn {
    /// Ours, from this state on.
    Mine(TokenRow),
    /// Another process has done it.
    Done(Fresh),
}

/// A token that may be used.
pub(super) struct Fresh {
    pub(super) access: Zeroizing<String>,
    pub(super) expires_at: Timestamp,
    pub(super) base: Option<Url>,
}

impl Fresh {
    /// One that was just given, if the CRM may be asked where its answer says.
    fn of(given: Given) -> Result<Self, Failure> {
        Ok(Self { access: given.access, expires_at: given.expires_at, base: given.base? })
    }
}

impl From<&KeptTokens> for Fresh {
    fn from(kept: &KeptTokens) -> Self {
        Self {
            access: Zeroizing::new(kept.access.clone()),
            expires_at: Timestamp::from_ms(kept.expires_at_ms),
            // It was compared with what the profile allows before it was kept, and is sealed since.
            base: kept.base.as_deref().and_then(|base| Url::parse(base).ok()),
        }
    }
}
