//! Keys of a CRM that change with each use: sealed, and changed by one process at a time. A new refresh token is on the
//! disk before the access token that came with it is used; else a crash in between would lock the bridge out.

use db_kit::{AnyConnection, Database, DbError, on_both};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use service_kit::{Ids, Timestamp};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::schema::crm_tokens;
use super::vault::Vault;

/// The tokens of one CRM. No `Debug`.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct KeptTokens {
    /// Hash of the refresh token in the settings from which these came. With another one there, they are forgotten.
    pub seed: String,
    /// The refresh token to use next.
    pub refresh: String,
    /// The access token.
    pub access: String,
    /// Until when it is good, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// The base address that came with it.
    pub base: Option<String>,
}

/// What is known of a CRM's tokens.
pub struct TokenRow {
    /// The tokens; none if there are none yet, or they were sealed with another key.
    pub tokens: Option<KeptTokens>,
    /// Counts the changes.
    pub generation: i64,
    /// How the last change ended.
    pub state: TokenState,
}

/// How the last change of tokens ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Well.
    Ready,
    /// It did not end: the process stopped while it asked.
    Asking,
    /// The CRM says that the refresh token was used before.
    Spent,
}

impl TokenState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Asking => "asking",
            Self::Spent => "spent",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "asking" => Self::Asking,
            "spent" => Self::Spent,
            _ => Self::Ready,
        }
    }
}

/// Whether this process may change the tokens now.
pub enum Lease {
    /// Yes, until the lease runs out.
    Mine(TokenRow),
    /// No, another process may; this is what it left so far.
    Theirs(TokenRow),
}

/// The tokens of CRMs in the bridge's database.
#[derive(Clone)]
pub struct TokenStore {
    database: Database,
    vault: Vault,
    ids: Ids,
    owner: String,
}

type Row = (Option<Vec<u8>>, i64, String);

impl TokenStore {
    /// A store for one process.
    #[must_use]
    pub fn new(database: Database, vault: Vault, ids: Ids) -> Self {
        let owner = ids.new_id("own");
        Self { database, vault, ids, owner }
    }

    /// Asks for the lease. It runs out by itself if this process stops.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn lease(&self, source: &str, now: Timestamp, for_ms: i64) -> Result<Lease, DbError> {
        let (key, owner) = (source.to_owned(), self.owner.clone());
        let (mine, row) = self
            .database
            .write(move |conn| {
                make(conn, &key, now)?;
                let free = crm_tokens::lease_until.le(now.ms()).or(crm_tokens::lease_owner.eq(&owner));
                let taken =
                    diesel::update(crm_tokens::table.filter(crm_tokens::source.eq(&key)).filter(free))
                        .set((
                            crm_tokens::lease_owner.eq(Some(&owner)),
                            crm_tokens::lease_until.eq(now.plus_ms(for_ms).ms()),
                        ))
                        .execute(conn)?;
                Ok::<_, DbError>((taken == 1, load(conn, &key)?))
            })
            .await?;
        let row = self.open(source, row);
        Ok(if mine { Lease::Mine(row) } else { Lease::Theirs(row) })
    }

    /// Notes that the CRM is being asked for new tokens.
    ///
    /// # Errors
    /// [`DbError`]; then the CRM must not be asked.
    pub async fn asking(&self, source: &str, now: Timestamp) -> Result<(), DbError> {
        self.set(source, TokenState::Asking, now, false).await
    }

    /// Notes that the CRM does not know the refresh token any more, and gives the lease back.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn spent(&self, source: &str, tokens: &KeptTokens, now: Timestamp) -> Result<(), DbError> {
        self.put(source, tokens, TokenState::Spent, now).await.map(drop)
    }

    /// Gives the lease back without new tokens.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn release_as(&self, source: &str, state: TokenState, now: Timestamp) -> Result<(), DbError> {
        self.set(source, state, now, true).await
    }

    /// Keeps new tokens and gives the lease back. Only then they may be used.
    ///
    /// # Errors
    /// [`DbError`]; then the new tokens must not be used yet.
    pub async fn keep(&self, source: &str, tokens: &KeptTokens, now: Timestamp) -> Result<i64, DbError> {
        self.put(source, tokens, TokenState::Ready, now).await
    }

    async fn set(
        &self,
        source: &str,
        state: TokenState,
        now: Timestamp,
        release: bool,
    ) -> Result<(), DbError> {
        let (key, owner) = (source.to_owned(), self.owner.clone());
        self.database
            .write(move |conn| {
                let mine = crm_tokens::table
                    .filter(crm_tokens::source.eq(&key))
                    .filter(crm_tokens::lease_owner.eq(&owner));
                let values = (crm_tokens::state.eq(state.as_str()), crm_tokens::changed_at.eq(now.ms()));
                let changed = diesel::update(mine).set(values).execute(conn)?;
                if changed == 1 && release {
                    diesel::update(mine)
                        .set((crm_tokens::lease_owner.eq(None::<String>), crm_tokens::lease_until.eq(0)))
                        .execute(conn)?;
                }
                if changed == 1 {
                    Ok(())
                } else {
                    Err(DbError::Configuration("the lease has run out".to_owned()))
                }
            })
            .await
    }

    async fn put(
        &self,
        source: &str,
        tokens: &KeptTokens,
        state: TokenState,
        now: Timestamp,
    ) -> Result<i64, DbError> {
        let failed = |what: &str| DbError::Configuration(what.to_owned());
        let plain =
            Zeroizing::new(serde_json::to_vec(tokens).map_err(|_| failed("tokens can't be written"))?);
        let sealed = self.vault.seal_bytes(&plain, &bond(source), &self.ids);
        let sealed = sealed.ok_or_else(|| failed("tokens can't be sealed"))?;
        let key = source.to_owned();
        self.database
            .write(move |conn| {
                make(conn, &key, now)?;
                // Whoever has new tokens keeps them, even if the lease has run out meanwhile: the old ones are worth nothing.
                diesel::update(crm_tokens::table.filter(crm_tokens::source.eq(&key)))
                    .set((
                        crm_tokens::sealed.eq(Some(sealed)),
                        crm_tokens::generation.eq(crm_tokens::generation + 1),
                        crm_tokens::state.eq(state.as_str()),
                        crm_tokens::lease_owner.eq(None::<String>),
                        crm_tokens::lease_until.eq(0),
                        crm_tokens::changed_at.eq(now.ms()),
                    ))
                    .execute(conn)?;
                load(conn, &key).map(|(_, generation, _)| generation)
            })
            .await
    }

    fn open(&self, source: &str, (sealed, generation, state): Row) -> TokenRow {
        let plain = sealed.and_then(|sealed| self.vault.open_bytes(&sealed, &bond(source)));
        let tokens = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        TokenRow { tokens, generation, state: TokenState::parse(&state) }
    }
}

fn bond(source: &str) -> Vec<u8> {
    format!("guichet crm tokens 1|{source}").into_bytes()
}

fn make(conn: &mut AnyConnection, source: &str, now: Timestamp) -> Result<(), DbError> {
    let row = (
        crm_tokens::source.eq(source),
        crm_tokens::generation.eq(0),
        crm_tokens::state.eq(TokenState::Ready.as_str()),
        crm_tokens::lease_until.eq(0),
        crm_tokens::changed_at.eq(now.ms()),
    );
    on_both!(conn, |conn| diesel::insert_into(crm_tokens::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(conn))?;
    Ok(())
}

fn load(conn: &mut AnyConnection, source: &str) -> Result<Row, DbError> {
    Ok(crm_tokens::table
        .filter(crm_tokens::source.eq(source))
        .select((crm_tokens::sealed, crm_tokens::generation, crm_tokens::state))
        .get_result(conn)?)
}
