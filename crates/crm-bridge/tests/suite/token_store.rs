//! Tokens of a CRM in the bridge's database: one owner at a time, sealed, on both databases.

use crm_bridge::MIGRATIONS;
use crm_bridge::store::tokens::{KeptTokens, Lease, TokenRow, TokenState, TokenStore};
use crm_bridge::store::vault::Vault;
use crm_bridge::walls::Walls;
use db_kit::testing::TestDatabase;
use db_kit::{Backend, both_databases};
use service_kit::{Clock, Ids, Timestamp};

fn stores(database: &TestDatabase) -> (TokenStore, TokenStore) {
    let clock = Clock::manual(Timestamp::from_ms(0));
    let key = Vault::generate_key(&Ids::seeded(clock.clone(), 1));
    let store = |seed| {
        let ids = Ids::seeded(clock.clone(), seed);
        TokenStore::new(database.database().clone(), Vault::new(&key, Walls::standing()).unwrap(), ids)
    };
    (store(2), store(3))
}

fn tokens(number: u32) -> KeptTokens {
    KeptTokens {
        seed: "seed".to_owned(),
        refresh: format!("refresh-{number}"),
        access: format!("access-{number}"),
        expires_at_ms: 1_000,
        base: None,
    }
}

fn mine(lease: Lease) -> Option<TokenRow> {
    match lease {
        Lease::Mine(row) => Some(row),
        Lease::Theirs(_) => None,
    }
}

both_databases! {
    async fn one_process_at_a_time_may_change_the_tokens(backend: Backend) {
        let database = TestDatabase::new(backend, &MIGRATIONS).await;
        let (one, other) = stores(&database);
        let at = Timestamp::from_ms;
        let row = mine(one.lease("zoho", at(0), 100).await.unwrap()).unwrap();
        assert!(row.tokens.is_none() && row.state == TokenState::Ready);
        assert!(mine(other.lease("zoho", at(50), 100).await.unwrap()).is_none());
        assert!(mine(other.lease("amocrm", at(50), 100).await.unwrap()).is_some(), "another CRM");
        one.asking("zoho", at(60)).await.unwrap();
        // The first process stops; its lease runs out.
        let row = mine(other.lease("zoho", at(101), 100).await.unwrap()).unwrap();
        assert_eq!(row.state, TokenState::Asking);
        assert!(one.asking("zoho", at(102)).await.is_err(), "the lease is another's");
        assert_eq!(other.keep("zoho", &tokens(1), at(103)).await.unwrap(), 1);
        let row = mine(one.lease("zoho", at(104), 100).await.unwrap()).unwrap();
        assert_eq!((row.tokens.unwrap().refresh.as_str(), row.generation, row.state), ("refresh-1", 1, TokenState::Ready));
        one.spent("zoho", &tokens(2), at(105)).await.unwrap();
        let row = mine(other.lease("zoho", at(106), 100).await.unwrap()).unwrap();
        assert_eq!(row.state, TokenState::Spent);
        other.release_as("zoho", TokenState::Spent, at(107)).await.unwrap();
        assert_eq!(mine(one.lease("zoho", at(108), 100).await.unwrap()).unwrap().state, TokenState::Spent);
    }

    async fn tokens_sealed_with_another_key_are_none(backend: Backend) {
        let database = TestDatabase::new(backend, &MIGRATIONS).await;
        let (one, _) = stores(&database);
        one.keep("zoho", &tokens(1), Timestamp::from_ms(0)).await.unwrap();
        let ids = Ids::seeded(Clock::manual(Timestamp::from_ms(0)), 9);
        let vault = Vault::new(&Vault::generate_key(&ids), Walls::standing()).unwrap();
        let stranger = TokenStore::new(database.database().clone(), vault, ids);
        let row = mine(stranger.lease("zoho", Timestamp::from_ms(1), 100).await.unwrap()).unwrap();
        assert!(row.tokens.is_none());
    }
}
