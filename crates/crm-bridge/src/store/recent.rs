//! The cards that were asked for last, sealed as they lie in the database. A look opens the one it expects before its turn
//! there, beside others that do the same, and in its turn only has to see that the card is still that one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bridge_contract::CustomerRef;

use super::SealedCard;

/// Cards that are remembered; then it begins anew. About half a megabyte.
const CARDS_MAX: usize = 1_024;

#[derive(Clone, Default)]
pub(super) struct Recent(Arc<Mutex<HashMap<CustomerRef, Arc<SealedCard>>>>);

impl Recent {
    pub(super) fn card(&self, customer_ref: &CustomerRef) -> Option<Arc<SealedCard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(customer_ref).cloned()
    }

    pub(super) fn remember(&self, customer_ref: &CustomerRef, card: SealedCard) {
        let mut cards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cards.len() >= CARDS_MAX {
            cards.clear();
        }
        cards.insert(customer_ref.clone(), Arc::new(card));
    }

    /// Forgets all, as it does when it is full: what has left the database is not left here.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use service_kit::Timestamp;

    use super::*;

    #[test]
    fn the_last_card_of_each_customer_is_remembered_but_not_those_of_all() {
        let recent = Recent::default();
        let customer = |number: usize| CustomerRef::new(format!("cus_{number:08}")).unwrap();
        let card =
            |at| SealedCard { sealed: vec![7], policy_hash: String::new(), as_of: Timestamp::from_ms(at) };
        recent.remember(&customer(1), card(1));
        recent.remember(&customer(1), card(2));
        assert_eq!(recent.card(&customer(1)).unwrap().as_of, Timestamp::from_ms(2));
        for number in 2..CARDS_MAX + 10 {
            recent.remember(&customer(number), card(3));
        }
        assert!(recent.0.lock().unwrap().len() < CARDS_MAX);
        assert!(recent.card(&customer(CARDS_MAX + 9)).is_some() && recent.card(&customer(1)).is_none());
    }
}
