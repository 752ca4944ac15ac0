//! The people of support: who there is, and how administrators manage them.

use serde::{Deserialize, Serialize};
use service_kit::{Secret, Timestamp};
use utoipa::ToSchema;

use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::audit::Deed;
use crate::domain::password::NewPassword;
use crate::domain::text::initials;
use crate::domain::{Actor, EmailAddress, Line, PersonName, Role};
use crate::error::TicketError;
use crate::store::operators::OperatorRecord;
use crate::store::{Scope, audit, operators, sessions};

/// An operator as colleagues see them; administrators see more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Operator {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// At most two letters.
    pub initials: String,
    /// What they are there for.
    pub role: Role,
    /// Their line; none for supervisors and administrators.
    pub line: Option<Line>,
    /// Whether they may sign in.
    pub active: bool,
    /// What only administrators see.
    #[serde(flatten)]
    pub account: Option<OperatorAccount>,
}

/// What administrators see of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OperatorAccount {
    /// The address to sign in with.
    pub email: String,
    /// When they were added.
    pub created_at: Timestamp,
    /// For If-Match.
    pub version: i64,
}

/// The operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OperatorList {
    /// By name.
    pub items: Vec<Operator>,
    /// Always empty: there is one page.
    pub next_cursor: Option<String>,
}

/// An operator to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    /// The address to sign in with.
    pub email: EmailAddress,
    /// The name that colleagues see.
    pub name: PersonName,
    /// What they are there for.
    pub role: Role,
    /// The first password; they can change it.
    pub password: NewPassword,
}

/// A change of an operator. What is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorChange {
    /// The address to sign in with.
    pub email: Option<EmailAddress>,
    /// The name that colleagues see.
    pub name: Option<PersonName>,
    /// What they are there for.
    pub role: Option<Role>,
    /// Whether they may sign in. Deactivating ends their sessions.
    pub active: Option<bool>,
    /// A new password. Ends their sessions.
    pub password: Option<NewPassword>,
}

fn view(record: OperatorRecord, for_admin: bool) -> Operator {
    let account = for_admin.then(|| OperatorAccount {
        email: record.email,
        created_at: Timestamp::from_ms(record.created_at),
        version: record.version,
    });
    Operator {
        initials: initials(&record.name),
        line: record.role.line(),
        id: record.id,
        name: record.name,
        role: record.role,
        active: record.active,
        account,
    }
}

/// Everybody who can be assigned a ticket; for administrators also those who were deactivated.
///
/// # Errors
/// [`TicketError::Forbidden`] for a key without `tickets:read`.
pub async fn list(app: &App, actor: &Actor) -> Result<OperatorList, TicketError> {
    let is_admin = permit::admin(actor).is_ok();
    if !is_admin {
        permit::scope(actor, KeyScope::TicketsRead)?;
    }
    let records = app.store.read(actor, move |scope| operators::list(scope, !is_admin)).await?;
    let items = records.into_iter().map(|record| view(record, is_admin)).collect();
    Ok(OperatorList { items, next_cursor: None })
}

/// Adds an operator.
///
/// # Errors
/// [`TicketError::Exists`] if the mail address is taken.
pub async fn create(app: &App, actor: &Actor, new: NewOperator) -> Result<Operator, TicketError> {
    permit::admin(actor)?;
    let password_hash = app.passwords.hash(Secret::new(new.password.expose())).await?;
    let record = app
        .store
        .write(actor, move |scope| {
            let record = OperatorRecord {
                id: scope.new_id("opr"),
                email: new.email.as_str().to_owned(),
                email_folded: new.email.folded(),
                name: new.name.into(),
                role: new.role,
                password_hash,
                locale: None,
                active: true,
                created_at: scope.now.ms(),
                version: 1,
            };
            operators::insert(scope, record.clone())?;
            audit::record(scope, Deed::OperatorAdded, |event| {
                event.with("operator", &record.id).with("as", record.role)
            });
            Ok(record)
        })
        .await?;
    tracing::info!(operator.id = record.id, operator.role = %record.role, actor.id = actor.caller_key(), "an operator was added");
    Ok(view(record, true))
}

/// Changes an operator, if `version` is the present one.
///
/// # Errors
/// [`TicketError::VersionConflict`] with the present one; [`TicketError::Forbidden`] if nobody would be left who may
/// administer; [`TicketError::Exists`] if the mail address is taken.
pub async fn change(
    app: &App,
    actor: &Actor,
    id: String,
    version: i64,
    change: OperatorChange,
) -> Result<Operator, TicketError> {
    permit::admin(actor)?;
    let password_hash = match &change.password {
        Some(password) => Some(app.passwords.hash(Secret::new(password.expose())).await?),
        None => None,
    };
    let record = app
        .store
        .write(actor, move |scope| {
            let mut record = operators::find(scope, &id)?;
            if record.version != version {
                let current = serde_json::to_value(view(record, true));
                return Err(TicketError::VersionConflict(Box::new(current.unwrap_or_default())));
            }
            let was_admin = is_active_admin(&record);
            let what = changed(&change);
            let ends_sessions = change.active == Some(false) || password_hash.is_some();
            apply(&mut record, change, password_hash);
            if was_admin && !is_active_admin(&record) {
                another_admin_stays(scope, &id)?;
            }
            if ends_sessions {
                sessions::delete_all_of(scope, &id, None)?;
            }
            record.version += 1;
            operators::update(scope, record.clone())?;
            audit::record(scope, Deed::OperatorChanged, |event| {
                let event = event.with("operator", &record.id).with("changed", what);
                event.with("as", record.role).with("active", record.active)
            });
            Ok(record)
        })
        .await?;
    app.sign_ins.forget_all();
    tracing::info!(operator.id = record.id, actor.id = actor.caller_key(), "an operator was changed");
    Ok(view(record, true))
}

/// Which members a change names, for the record.
fn changed(change: &OperatorChange) -> String {
    let named = [
        ("email", change.email.is_some()),
        ("name", change.name.is_some()),
        ("role", change.role.is_some()),
        ("active", change.active.is_some()),
        ("password", change.password.is_some()),
    ];
    named.iter().filter(|(_, is_named)| *is_named).map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

fn apply(record: &mut OperatorRecord, change: OperatorChange, password_hash: Option<String>) {
    if let Some(email) = change.email {
        record.email = email.as_str().to_owned();
        record.email_folded = email.folded();
    }
    if let Some(name) = change.name {
        record.name = name.into();
    }
    record.role = change.role.unwrap_or(record.role);
    record.active = change.active.unwrap_or(record.active);
    if let Some(hash) = password_hash {
        record.password_hash = hash;
    }
}

fn is_active_admin(record: &OperatorRecord) -> bool {
    record.active && record.role == Role::Admin
}

fn another_admin_stays(scope: &mut Scope<'_>, id: &str) -> Result<(), TicketError> {
    if operators::active_admins(scope)?.iter().any(|admin| admin != id) {
        return Ok(());
    }
    Err(TicketError::Forbidden(
        "This is the last active administrator. Make somebody else administrator first.",
    ))
}
