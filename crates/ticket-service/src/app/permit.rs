//! Who may do what: the questions that every use case asks first.

use crate::domain::actor::{Actor, Caller, KeyScope, Role};
use crate::error::TicketError;

/// The caller is an operator or a key with this scope.
///
/// # Errors
/// [`TicketError::NotSignedIn`] for the public, [`TicketError::Forbidden`] for a key without the scope.
pub fn scope(actor: &Actor, scope: KeyScope) -> Result<(), TicketError> {
    if matches!(actor.caller, Caller::Public) {
        return Err(TicketError::NotSignedIn);
    }
    if actor.scopes.contains(scope) {
        return Ok(());
    }
    Err(TicketError::Forbidden(match scope {
        KeyScope::TicketsRead => "This API key lacks the scope tickets:read. Make one that has it.",
        KeyScope::TicketsWrite => "This API key lacks the scope tickets:write. Make one that has it.",
        KeyScope::CardsRead => "This API key lacks the scope cards:read. Make one that has it.",
        KeyScope::Admin => "This API key lacks the scope admin. Make one that has it.",
    }))
}

/// The caller is an administrator, or a key with that role and scope.
///
/// # Errors
/// [`TicketError::Forbidden`] for everybody else.
pub fn admin(actor: &Actor) -> Result<(), TicketError> {
    scope(actor, KeyScope::Admin)?;
    match (&actor.caller, actor.role) {
        (Caller::System, _) | (_, Some(Role::Admin)) => Ok(()),
        _ => Err(TicketError::Forbidden("Only administrators may do this. Ask one of them.")),
    }
}

/// The caller is a person who signed in.
///
/// # Errors
/// [`TicketError::Forbidden`] for keys, [`TicketError::NotSignedIn`] for the public.
pub fn person(actor: &Actor) -> Result<&str, TicketError> {
    match &actor.caller {
        Caller::Operator { id } => Ok(id),
        Caller::Public => Err(TicketError::NotSignedIn),
        _ => Err(TicketError::Forbidden("Only people who signed in may do this, not API keys.")),
    }
}

/// The caller watches over the others: a supervisor or an administrator, or a key with such a role and the scope `admin`.
///
/// # Errors
/// [`TicketError::Forbidden`] for everybody else.
pub fn overseer(actor: &Actor) -> Result<(), TicketError> {
    scope(actor, KeyScope::Admin)?;
    match (&actor.caller, actor.role) {
        (Caller::System, _) | (_, Some(Role::Admin | Role::Supervisor)) => Ok(()),
        _ => Err(TicketError::Forbidden("Only supervisors and administrators may do this. Ask one of them.")),
    }
}
