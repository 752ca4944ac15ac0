//! Grants under a key that was agreed on with the bridge instead of signed ones.

use db_kit::both_databases;
use ticket_service::domain::Role;

use crate::support::Client;
use crate::support::bridge::WithBridge;
use crate::window::{ILYA, ticket_of_ilya, viewer};

/// The key is agreed on beside the questions; after so many it must be there.
const QUESTIONS_MAX: usize = 500;

/// Looks at the card until the grant of a look is under an agreed key.
async fn looks_under_a_key(with: &WithBridge, ann: &Client, card: &str) -> bool {
    for _ in 0..QUESTIONS_MAX {
        ann.get(card).await.expect(200);
        if with.bridge.asked().last().unwrap().by_agreed_key {
            return true;
        }
    }
    false
}

both_databases! {
    async fn grants_are_under_an_agreed_key_and_signed_again_when_the_bridge_has_lost_it(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya");
        let card = format!("{}/card", ticket_of_ilya(&with).await);
        let ann = viewer(&with.app, Role::Line1).await;
        ann.get(&card).await.expect(200);
        assert!(!with.bridge.asked().last().unwrap().by_agreed_key, "this bridge does not agree on keys");
        with.bridge.agrees_anew();
        with.app.app.clock.advance_ms(61_000);
        assert!(looks_under_a_key(&with, &ann, &card).await, "no key was agreed on");
        assert_eq!(with.bridge.keys(), 1);
        // Nobody notices that the key is gone.
        with.bridge.agrees_anew();
        ann.get(&card).await.expect(200);
        assert!(!with.bridge.asked().last().unwrap().by_agreed_key);
        with.app.app.clock.advance_ms(61_000);
        assert!(looks_under_a_key(&with, &ann, &card).await, "no other key was agreed on");
    }

    async fn a_key_is_followed_by_another_before_it_ends(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya");
        with.bridge.agrees_anew();
        let card = format!("{}/card", ticket_of_ilya(&with).await);
        let ann = viewer(&with.app, Role::Line1).await;
        assert!(looks_under_a_key(&with, &ann, &card).await, "no key was agreed on");
        with.app.app.clock.advance_ms(301_000);
        let mut looks = 0;
        while with.bridge.keys() < 2 && looks < QUESTIONS_MAX {
            ann.get(&card).await.expect(200);
            assert!(with.bridge.asked().last().unwrap().by_agreed_key, "the first key is good meanwhile");
            looks += 1;
        }
        assert_eq!(with.bridge.keys(), 2);
        // Whoever has asked nothing for long has no key that is good.
        with.app.app.clock.advance_ms(601_000);
        ann.get(&card).await.expect(200);
        assert!(!with.bridge.asked().last().unwrap().by_agreed_key);
    }
}
