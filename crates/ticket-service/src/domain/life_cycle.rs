//! The life cycle as a table: which moves there are and who may make them.

use crate::domain::ticket::Status::{self, Closed, New, Open, Resolved, WaitingCustomer, WaitingThirdParty};

/// Who makes a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mover {
    /// An operator of a line.
    Operator,
    /// A supervisor or administrator.
    Supervisor,
    /// The person who asked, by writing again.
    Requester,
    /// The service itself, by time.
    System,
}

const STAFF: &[Mover] = &[Mover::Operator, Mover::Supervisor];
const STAFF_AND_REQUESTER: &[Mover] = &[Mover::Operator, Mover::Supervisor, Mover::Requester];

/// The allowed moves. What is not here is refused. A requester's move happens when they write.
const MOVES: &[(Status, Status, &[Mover])] = &[
    (New, Open, STAFF),
    (New, WaitingCustomer, STAFF),
    (New, WaitingThirdParty, STAFF),
    (New, Resolved, STAFF),
    (Open, WaitingCustomer, STAFF),
    (Open, WaitingThirdParty, STAFF),
    (Open, Resolved, STAFF),
    (WaitingCustomer, Open, STAFF_AND_REQUESTER),
    (WaitingCustomer, WaitingThirdParty, STAFF),
    (WaitingCustomer, Resolved, STAFF),
    (WaitingThirdParty, Open, STAFF_AND_REQUESTER),
    (WaitingThirdParty, WaitingCustomer, STAFF),
    (WaitingThirdParty, Resolved, STAFF),
    (Resolved, Open, STAFF_AND_REQUESTER),
    (Resolved, WaitingCustomer, STAFF),
    (Resolved, Closed, &[Mover::Supervisor, Mover::System]),
    (Closed, Open, &[Mover::Supervisor, Mover::Requester]),
];

/// Whether this mover may move a ticket from one status to the other. Staying where it is, is always allowed.
pub fn allows(from: Status, to: Status, mover: Mover) -> bool {
    from == to || MOVES.iter().any(|(start, end, who)| *start == from && *end == to && who.contains(&mover))
}

/// Where this mover may move a ticket from here, in the order of the table.
pub fn moves_from(from: Status, mover: Mover) -> Vec<Status> {
    MOVES
        .iter()
        .filter(|(start, _, who)| *start == from && who.contains(&mover))
        .map(|(_, end, _)| *end)
        .collect()
}

/// Where an answer leaves the ticket when nothing else is asked: new work becomes open work.
pub fn after_answer(from: Status) -> Status {
    if from == New { Open } else { from }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOVERS: [Mover; 4] = [Mover::Operator, Mover::Supervisor, Mover::Requester, Mover::System];

    #[test]
    fn the_table_reads_like_this() {
        let table: Vec<String> = Status::ALL
            .iter()
            .flat_map(|from| MOVERS.map(|mover| (*from, mover)))
            .filter_map(|(from, mover)| {
                let moves: Vec<_> = moves_from(from, mover).iter().map(|status| status.as_str()).collect();
                (!moves.is_empty()).then(|| format!("{from} by {mover:?}: {}", moves.join(" ")))
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        new by Operator: open waiting_customer waiting_third_party resolved
        new by Supervisor: open waiting_customer waiting_third_party resolved
        open by Operator: waiting_customer waiting_third_party resolved
        open by Supervisor: waiting_customer waiting_third_party resolved
        waiting_customer by Operator: open waiting_third_party resolved
        waiting_customer by Supervisor: open waiting_third_party resolved
        waiting_customer by Requester: open
        waiting_third_party by Operator: open waiting_customer resolved
        waiting_third_party by Supervisor: open waiting_customer resolved
        waiting_third_party by Requester: open
        resolved by Operator: open waiting_customer
        resolved by Supervisor: open waiting_customer closed
        resolved by Requester: open
        resolved by System: closed
        closed by Supervisor: open
        closed by Requester: open
        ");
    }

    #[test]
    fn nothing_becomes_new_again() {
        for from in Status::ALL.iter().filter(|status| **status != New) {
            assert!(MOVERS.iter().all(|mover| !allows(*from, New, *mover)));
        }
    }

    proptest! {
        #[test]
        fn any_chain_of_allowed_moves_can_still_reach_resolved(steps in prop::collection::vec(0usize..6, 0..20)) {
            let mut status = New;
            for step in steps {
                let to = Status::ALL[step];
                if allows(status, to, Mover::Supervisor) {
                    status = to;
                }
            }
            let reopened = if status == Closed { Open } else { status };
            prop_assert!(reopened == Resolved || allows(reopened, Resolved, Mover::Operator));
        }
    }
}
