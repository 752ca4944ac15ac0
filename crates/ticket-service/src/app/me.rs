//! What an operator sees and changes of their own account.

use serde::{Deserialize, Serialize};
use service_kit::Secret;
use utoipa::ToSchema;

use crate::app::sign_in::Credential;
use crate::app::{App, permit};
use crate::domain::audit::Deed;
use crate::domain::password::NewPassword;
use crate::domain::ticket::{UnknownName, named_enum};
use crate::domain::{Actor, Line, Role};
use crate::error::TicketError;
use crate::store::operators::OperatorRecord;
use crate::store::{audit, operators, sessions};

use std::fmt;
use std::str::FromStr;

named_enum! {
    /// A language of the interface.
    Locale {
        /// English.
        En = "en",
        /// Russian.
        Ru = "ru",
    }
}

named_enum! {
    /// What the screens may offer. The service checks each of it again.
    Permission {
        /// Read tickets within reach.
        ReadTickets = "tickets:read",
        /// Open, answer and change tickets within reach.
        WriteTickets = "tickets:write",
        /// See the tickets of all lines.
        AllLines = "tickets:all_lines",
        /// See customer cards.
        ReadCards = "cards:read",
        /// Manage operators, queues and API keys.
        Admin = "admin",
    }
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Me {
    /// The operator's id.
    pub id: String,
    /// The name that colleagues see.
    pub name: String,
    /// The address to sign in with.
    pub email: String,
    /// What they are there for.
    pub role: Role,
    /// Their line; none for supervisors and administrators.
    pub line: Option<Line>,
    /// The language they chose, if they did.
    pub locale: Option<Locale>,
    /// What the screens may offer.
    pub permissions: Vec<Permission>,
}

/// A change of the own account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeChange {
    /// The language of the interface.
    pub locale: Option<Locale>,
}

/// A change of the own password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The present password.
    #[schema(value_type = String, format = "password")]
    pub current: Secret,
    /// The new one.
    pub new: NewPassword,
}

pub(crate) fn me_of(operator: OperatorRecord) -> Me {
    Me {
        line: operator.role.line(),
        permissions: permissions_of(operator.role),
        locale: operator.locale.and_then(|locale| locale.parse().ok()),
        id: operator.id,
        name: operator.name,
        email: operator.email,
        role: operator.role,
    }
}

fn permissions_of(role: Role) -> Vec<Permission> {
    use Permission::{Admin, AllLines, ReadCards, ReadTickets, WriteTickets};
    match role {
        Role::Line1 | Role::Line2 | Role::Line3 => vec![ReadTickets, WriteTickets, ReadCards],
        Role::Supervisor => vec![ReadTickets, WriteTickets, AllLines, ReadCards],
        Role::Admin => vec![ReadTickets, WriteTickets, AllLines, Admin],
    }
}

/// Who is signed in.
///
/// # Errors
/// [`TicketError::Forbidden`] for API keys.
pub async fn show(app: &App, actor: &Actor) -> Result<Me, TicketError> {
    let id = permit::person(actor)?.to_owned();
    app.store.read(actor, move |scope| operators::find(scope, &id).map(me_of)).await
}

/// Changes the own account.
///
/// # Errors
/// [`TicketError::Forbidden`] for API keys.
pub async fn change(app: &App, actor: &Actor, change: MeChange) -> Result<Me, TicketError> {
    let id = permit::person(actor)?.to_owned();
    app.store
        .write(actor, move |scope| {
            let mut operator = operators::find(scope, &id)?;
            if let Some(locale) = change.locale {
                operator.locale = Some(locale.into());
                operators::update(scope, operator.clone())?;
            }
            Ok(me_of(operator))
        })
        .await
}

/// Changes the own password and ends all other sessions. Counts as an attempt to sign in.
///
/// # Errors
/// [`TicketError::Invalid`] if the present password is wrong, [`TicketError::TooMany`] after too many such attempts.
pub async fn change_password(
    app: &App,
    actor: &Actor,
    credential: &Credential,
    change: PasswordChange,
) -> Result<(), TicketError> {
    let id = permit::person(actor)?.to_owned();
    let operator = app.store.read(actor, move |scope| operators::find(scope, &id)).await?;
    app.limits.sign_in_email.attempt(&operator.email_folded).map_err(TicketError::TooMany)?;
    if !app.passwords.fits(change.current, Some(operator.password_hash)).await? {
        return Err(TicketError::invalid("current", "is not your present password"));
    }
    app.limits.sign_in_email.forgive(&operator.email_folded);
    let hash = app.passwords.hash(Secret::new(change.new.expose())).await?;
    let kept = match credential {
        Credential::Session { hash } => Some(hash.clone()),
        Credential::ApiKey { .. } => None,
    };
    app.store
        .write(actor, move |scope| {
            let mut operator = operators::find(scope, &operator.id)?;
            operator.password_hash = hash;
            operator.version += 1;
            let id = operator.id.clone();
            operators::update(scope, operator)?;
            audit::record(scope, Deed::PasswordChanged, |event| event);
            sessions::delete_all_of(scope, &id, kept.as_deref())
        })
        .await?;
    app.sign_ins.forget_all();
    Ok(())
}
