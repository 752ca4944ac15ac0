//! Who asks, and what follows from it. Every use case and every store function starts from an [`Actor`].

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::life_cycle::Mover;
use crate::domain::ticket::{Line, UnknownName, named_enum};

use std::fmt;
use std::str::FromStr;

named_enum! {
    /// What an operator is there for.
    Role {
        /// First line.
        Line1 = "line1",
        /// Second line.
        Line2 = "line2",
        /// Third line.
        Line3 = "line3",
        /// Sees all lines, and who does what.
        Supervisor = "supervisor",
        /// Sets up; sees all tickets, but no customer card.
        Admin = "admin",
    }
}

impl Role {
    /// The line of an operator; none for supervisors and administrators.
    pub fn line(self) -> Option<Line> {
        match self {
            Self::Line1 => Some(Line::ALL[0]),
            Self::Line2 => Some(Line::ALL[1]),
            Self::Line3 => Some(Line::ALL[2]),
            Self::Supervisor | Self::Admin => None,
        }
    }

    /// As whom the role moves tickets.
    pub const fn mover(self) -> Mover {
        match self {
            Self::Supervisor | Self::Admin => Mover::Supervisor,
            _ => Mover::Operator,
        }
    }
}

named_enum! {
    /// What an API key may do, within what its role sees.
    KeyScope {
        /// Read tickets, messages, attachments, search and live updates.
        TicketsRead = "tickets:read",
        /// Open, answer and change tickets.
        TicketsWrite = "tickets:write",
        /// Read customer cards.
        CardsRead = "cards:read",
        /// Manage operators, queues and API keys (with the role `admin`).
        Admin = "admin",
    }
}

/// The scopes of a caller. People who sign in have all of them; their role is the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeSet(Vec<KeyScope>);

impl ScopeSet {
    /// Every scope.
    pub fn all() -> Self {
        Self(KeyScope::ALL.to_vec())
    }

    /// These scopes.
    pub fn of(scopes: Vec<KeyScope>) -> Self {
        Self(scopes)
    }

    /// Whether the scope is among them.
    pub fn contains(&self, scope: KeyScope) -> bool {
        self.0.contains(&scope)
    }
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A signed-in person.
    Operator {
        /// Their id.
        id: String,
    },
    /// A program with an API key, acting within a role.
    ApiKey {
        /// The key's id.
        id: String,
    },
    /// Anybody, through a public form: may open a request and see nothing.
    Public,
    /// The service itself: jobs and commands.
    System,
}

/// Who asks: the caller with name, role and scopes. There is no data without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who is calling.
    pub caller: Caller,
    /// The name that the history shows.
    pub name: String,
    /// The role; none for the public and the service itself.
    pub role: Option<Role>,
    /// What the caller may do within the role.
    pub scopes: ScopeSet,
}

/// Which tickets exist for an actor. The same rule for lists, single records, search, counters and live updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All tickets.
    All,
    /// The tickets of a line and those assigned to an operator.
    Line {
        /// The line.
        line: Line,
        /// The operator, if the caller is a person.
        operator_id: Option<String>,
    },
    /// None.
    Nothing,
}

impl Reach {
    /// Whether a ticket on this line with this assignee exists for the actor.
    pub fn includes(&self, ticket_line: Line, assignee_id: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Line { line, operator_id } => {
                ticket_line == *line || (operator_id.is_some() && operator_id.as_deref() == assignee_id)
            }
            Self::Nothing => false,
        }
    }
}

impl Actor {
    /// A signed-in operator.
    pub fn operator(id: impl Into<String>, name: impl Into<String>, role: Role) -> Self {
        Self {
            caller: Caller::Operator { id: id.into() },
            name: name.into(),
            role: Some(role),
            scopes: ScopeSet::all(),
        }
    }

    /// A program with an API key.
    pub fn api_key(id: impl Into<String>, name: impl Into<String>, role: Role, scopes: ScopeSet) -> Self {
        Self { caller: Caller::ApiKey { id: id.into() }, name: name.into(), role: Some(role), scopes }
    }

    /// Anybody, through a public form.
    pub fn public() -> Self {
        Self {
            caller: Caller::Public,
            name: String::from("web form"),
            role: None,
            scopes: ScopeSet::of(vec![]),
        }
    }

    /// The service itself.
    pub fn system() -> Self {
        Self { caller: Caller::System, name: String::from("Guichet"), role: None, scopes: ScopeSet::all() }
    }

    /// Which tickets exist for this actor.
    pub fn reach(&self) -> Reach {
        match (&self.caller, self.role) {
            (Caller::System, _) | (_, Some(Role::Supervisor | Role::Admin)) => Reach::All,
            (_, Some(role)) => match role.line() {
                Some(line) => Reach::Line { line, operator_id: self.operator_id().map(str::to_owned) },
                None => Reach::Nothing,
            },
            (_, None) => Reach::Nothing,
        }
    }

    /// The operator's id, if the caller is a person.
    pub fn operator_id(&self) -> Option<&str> {
        match &self.caller {
            Caller::Operator { id } => Some(id),
            _ => None,
        }
    }

    /// A text that stands for the caller in keys and logs: `opr_…`, `key_…`, `public` or `system`.
    pub fn caller_key(&self) -> &str {
        match &self.caller {
            Caller::Operator { id } | Caller::ApiKey { id } => id,
            Caller::Public => "public",
            Caller::System => "system",
        }
    }

    /// As whom the actor moves tickets through the life cycle.
    pub fn mover(&self) -> Mover {
        match (&self.caller, self.role) {
            (Caller::System, _) => Mover::System,
            (_, Some(role)) => role.mover(),
            (_, None) => Mover::Requester,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_reaches_the_own_line_and_what_is_assigned_to_them() {
        let reach = Actor::operator("opr_ann", "Ann", Role::Line1).reach();
        let [first, second, _] = Line::ALL;
        assert!(reach.includes(first, None) && reach.includes(first, Some("opr_bob")));
        assert!(reach.includes(second, Some("opr_ann")));
        assert!(!reach.includes(second, None) && !reach.includes(second, Some("opr_bob")));
    }

    #[test]
    fn a_key_of_a_line_reaches_nothing_by_assignment() {
        let reach = Actor::api_key("key_1", "CI", Role::Line1, ScopeSet::all()).reach();
        assert!(!reach.includes(Line::ALL[1], None));
    }

    #[test]
    fn the_public_reaches_nothing_and_supervisors_everything() {
        assert_eq!(Actor::public().reach(), Reach::Nothing);
        assert_eq!(Actor::operator("opr_s", "S", Role::Supervisor).reach(), Reach::All);
    }
}
