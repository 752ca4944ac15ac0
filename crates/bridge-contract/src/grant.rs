//! What the ticket service signs: who may see which customer for which ticket.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agreement::KeyHalf;
use crate::card::FieldKey;
use crate::oversight::{Ground, Reason};
use crate::text::{CustomerRef, ViewerId};

/// The role of the person at the screen, as the field policy names it. Administrators have none: they see no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViewerRole {
    /// An operator of the first line.
    Line1,
    /// An operator of the second line.
    Line2,
    /// An operator of the third line.
    Line3,
    /// A supervisor.
    Supervisor,
}

impl ViewerRole {
    /// All roles, in the order in which a policy is explained.
    pub const ALL: [Self; 4] = [Self::Line1, Self::Line2, Self::Line3, Self::Supervisor];

    /// The name in policies and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line1 => "line1",
            Self::Line2 => "line2",
            Self::Line3 => "line3",
            Self::Supervisor => "supervisor",
        }
    }
}

/// What the bearer may ask, once signed (the `grant` member of a service token).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The ticket for which the question is asked; 0 for questions that are about no ticket.
    pub ticket: u64,
    /// What for.
    pub purpose: Purpose,
}

/// What a grant is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// Find out which customer wrote; the ticket service asks on its own behalf.
    Resolve {},
    /// Learn which customers were erased or merged; the ticket service asks on its own behalf, for ticket 0.
    Changes {},
    /// Show the card of one customer to one operator.
    Card {
        /// The operator at the screen, or the program.
        operator: ViewerId,
        /// Their role.
        role: ViewerRole,
        /// The customer that the ticket belongs to.
        customer_ref: CustomerRef,
    },
    /// Show one masked field in clear, on the record.
    Reveal {
        /// The operator at the screen, or the program.
        operator: ViewerId,
        /// Their role.
        role: ViewerRole,
        /// The customer that the ticket belongs to.
        customer_ref: CustomerRef,
        /// The masked field.
        field: FieldKey,
    },
    /// Show the card although the operator's viewing budget is spent, on the record and with a notice to supervisors.
    BreakGlass {
        /// The operator at the screen. Programs break no glass.
        operator: ViewerId,
        /// Their role.
        role: ViewerRole,
        /// The customer that the ticket belongs to.
        customer_ref: CustomerRef,
        /// The ground.
        ground: Ground,
        /// The reason in the operator's words.
        reason: Reason,
    },
    /// Find out which customer wrote, by an address that an operator gave.
    LookUp {
        /// The operator at the screen, or the program.
        operator: ViewerId,
    },
    /// Show a supervisor who looked at whom, and take note that they have seen it.
    Oversight {
        /// The supervisor.
        operator: ViewerId,
        /// Their role; the bridge answers supervisors only.
        role: ViewerRole,
    },
    /// The ticket service compares looks with work on tickets, on its own behalf.
    Review {},
    /// Exchange heads of the audit logs; the ticket is 0.
    AuditHead {},
    /// Agree on a key for the grants of the next minutes; the ticket is 0.
    Agreement {
        /// The asker's half.
        half: KeyHalf,
    },
    /// Tell what became of the ticket; the ticket service speaks on its own behalf.
    TicketEvent {
        /// Which of the ticket's events.
        sequence: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_with_an_unknown_member_is_refused() {
        let grant = r#"{"ticket":1,"purpose":{"kind":"resolve","all":true}}"#;
        assert!(serde_json::from_str::<Grant>(grant).is_err());
        let grant = r#"{"ticket":1,"purpose":{"kind":"resolve"},"admin":true}"#;
        assert!(serde_json::from_str::<Grant>(grant).is_err());
    }

    #[test]
    fn a_grant_survives_the_wire() {
        let grant = Grant {
            ticket: 10_482,
            purpose: Purpose::Reveal {
                operator: ViewerId::new("opr_0193aabb").unwrap(),
                role: ViewerRole::Line2,
                customer_ref: CustomerRef::new("cus_0193aabb").unwrap(),
                field: FieldKey::new("person.phone").unwrap(),
            },
        };
        let wire = serde_json::to_string(&grant).unwrap();
        assert_eq!(serde_json::from_str::<Grant>(&wire).unwrap(), grant);
    }
}
