//! API keys: how administrators give programs access.

use serde::{Deserialize, Serialize};
use service_kit::Timestamp;
use utoipa::ToSchema;

use crate::app::sign_in::{KEY_PREFIX, new_token, scopes_of, sha256};
use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::audit::Deed;
use crate::domain::{Actor, PersonName, Role};
use crate::error::TicketError;
use crate::store::api_keys::{self, ApiKeyRecord};
use crate::store::audit;

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKey {
    /// The id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// As which role it acts.
    pub role: Role,
    /// What it may do within the role.
    pub scopes: Vec<KeyScope>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// The API keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKeyList {
    /// The newest first.
    pub items: Vec<ApiKey>,
    /// Always empty: there is one page.
    pub next_cursor: Option<String>,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it is for.
    pub name: PersonName,
    /// As which role it acts.
    pub role: Role,
    /// What it may do within the role; at least one.
    #[schema(min_items = 1)]
    pub scopes: Vec<KeyScope>,
}

/// A key that was just made. The secret is never shown again.
#[derive(Clone, Serialize, ToSchema)]
pub struct MadeApiKey {
    /// The key.
    pub key: ApiKey,
    /// Goes into the header `Authorization: Bearer …`. Keep it safe; only its hash is stored.
    pub secret: String,
}

fn view(record: ApiKeyRecord, created_by: String) -> ApiKey {
    ApiKey {
        scopes: KeyScope::ALL
            .iter()
            .copied()
            .filter(|scope| scopes_of(&record.scopes).contains(*scope))
            .collect(),
        id: record.id,
        name: record.name,
        role: record.role,
        created_by,
        created_at: Timestamp::from_ms(record.created_at),
        last_used_at: record.last_used_at.map(Timestamp::from_ms),
        revoked_at: record.revoked_at.map(Timestamp::from_ms),
    }
}

/// All keys, also the revoked ones.
///
/// # Errors
/// [`TicketError::Forbidden`] for all but administrators.
pub async fn list(app: &App, actor: &Actor) -> Result<ApiKeyList, TicketError> {
    permit::admin(actor)?;
    let records = app.store.read(actor, api_keys::list).await?;
    let items = records.into_iter().map(|(record, by)| view(record, by)).collect();
    Ok(ApiKeyList { items, next_cursor: None })
}

/// Makes a key. Only a person can: a leaked key can't make another that outlives it.
///
/// # Errors
/// [`TicketError::Forbidden`] for all but administrators who signed in.
pub async fn create(app: &App, actor: &Actor, new: NewApiKey) -> Result<MadeApiKey, TicketError> {
    permit::admin(actor)?;
    let created_by = permit::person(actor)?.to_owned();
    if new.scopes.is_empty() {
        return Err(TicketError::invalid("scopes", "is empty; name at least one scope"));
    }
    let secret = format!("{KEY_PREFIX}{}", new_token(app));
    let secret_hash = sha256(&secret);
    let chosen = KeyScope::ALL.iter().filter(|scope| new.scopes.contains(scope)).map(|scope| scope.as_str());
    let scopes = chosen.collect::<Vec<_>>().join(" ");
    let record = app
        .store
        .write(actor, move |scope| {
            let record = ApiKeyRecord {
                id: scope.new_id("key"),
                name: new.name.into(),
                secret_hash,
                role: new.role,
                scopes,
                created_by,
                created_at: scope.now.ms(),
                last_used_at: None,
                revoked_at: None,
            };
            api_keys::insert(scope, record.clone())?;
            audit::record(scope, Deed::ApiKeyMade, |event| {
                let scopes = record.scopes.replace(' ', ",");
                event.with("key", &record.id).with("as", record.role).with("scopes", scopes)
            });
            Ok(record)
        })
        .await?;
    tracing::info!(key.id = record.id, key.role = %record.role, actor.id = actor.caller_key(), "an API key was made");
    Ok(MadeApiKey { key: view(record, actor.name.clone()), secret })
}

/// Revokes a key; at once, and for good.
///
/// # Errors
/// [`TicketError::NotFound`] if there is none with this id; [`TicketError::Forbidden`] for all but administrators.
pub async fn revoke(app: &App, actor: &Actor, id: String) -> Result<(), TicketError> {
    permit::admin(actor)?;
    tracing::info!(key.id = id, actor.id = actor.caller_key(), "an API key is being revoked");
    app.store
        .write(actor, move |scope| {
            audit::record(scope, Deed::ApiKeyRevoked, |event| event.with("key", &id));
            api_keys::revoke(scope, &id)
        })
        .await?;
    app.sign_ins.forget_all();
    Ok(())
}
