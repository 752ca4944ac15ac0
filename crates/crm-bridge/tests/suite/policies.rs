//! Policies over time: which is in force, who says so, and what a running bridge makes of a new one.

use bridge_contract::ViewerRole;
use crm_bridge::app::policies::{
    Live, Person, PolicyTrouble, Proposed, Reload, Rules, activate, approve, in_force, propose, record_file,
};
use crm_bridge::connector::profile::{BUILT_IN, Profile};
use crm_bridge::policy::approval::Approvers;
use crm_bridge::policy::load::load;
use crm_bridge::store::Store;
use crm_bridge::store::policies::{Beside, Grounds};
use db_kit::both_databases;
use db_kit::testing::StartOn;
use service_kit::token::generate_key_pair;
use service_kit::{Clock, Ids, Secret};

use crate::support::{Town, field};

const WIDE: &str = "[policy]\nname = \"support\"\nnumber = 1\nowner = \"dpo\"\n[person.name]\ntype = \"text\"\nchars_max = 80\n\
                    show = [\"line1\", \"line2\"]\n[person.phone]\ntype = \"phone\"\nshow = [\"line1\", \"line2\"]\n";

fn beside() -> Beside {
    Beside { profile: "sandbox".to_owned(), sha256: "cd".repeat(32) }
}

fn narrow() -> String {
    WIDE.replace("type = \"phone\"\nshow = [\"line1\", \"line2\"]", "type = \"phone\"\nshow = [\"line2\"]")
        .replace("= 1\n", "= 2\n")
}

fn wider() -> String {
    format!("{WIDE}[person.city]\ntype = \"text\"\nchars_max = 60\nshow = [\"line1\"]\n")
        .replace("number = 1", "number = 3")
}

/// A bridge, and two persons with keys.
struct House {
    town: Town,
    rules: Rules,
    profile: Profile,
    anna: Secret,
    boris: Secret,
}

impl StartOn for House {
    async fn start_on(backend: db_kit::Backend) -> Self {
        let town = Town::start_on(backend).await;
        let ids = Ids::seeded(Clock::system(), 5);
        let (anna, anna_public) = generate_key_pair(&ids).unwrap();
        let (boris, boris_public) = generate_key_pair(&ids).unwrap();
        let approvers =
            Approvers::new([("anna".to_owned(), anna_public), ("boris".to_owned(), boris_public)]).unwrap();
        let rules = Rules { from_database: true, two_persons: true, narrowing_by_one: true, approvers };
        Self { town, rules, profile: Profile::load(BUILT_IN[0].1).unwrap(), anna, boris }
    }
}

impl House {
    fn store(&self) -> &Store {
        &self.town.bridge.store
    }

    fn person<'a>(&'a self, name: &'a str) -> Person<'a> {
        let key = match name {
            "anna" => Some(&self.anna),
            "boris" => Some(&self.boris),
            _ => None,
        };
        Person { name, key }
    }

    async fn propose(&self, body: &str, name: &str) -> Result<Proposed, PolicyTrouble> {
        propose(self.store(), &self.rules, &self.profile, body, &self.person(name), self.town.clock.now())
            .await
    }

    async fn approve(&self, which: &str, person: &Person<'_>) -> Result<Proposed, PolicyTrouble> {
        approve(self.store(), &self.rules, &self.profile, which, person, self.town.clock.now()).await
    }

    async fn activate(&self, which: &str, name: &str) -> Result<Proposed, PolicyTrouble> {
        activate(
            self.store(),
            &self.rules,
            &self.profile,
            Some(which),
            &self.person(name),
            self.town.clock.now(),
        )
        .await
    }

    async fn in_force(&self) -> Result<u32, PolicyTrouble> {
        in_force(self.store(), &self.rules, &self.profile).await.map(|policy| policy.number)
    }

    /// Brings the wide policy in with both signatures.
    async fn begin(&self) {
        self.propose(WIDE, "anna").await.unwrap();
        self.approve("1", &self.person("boris")).await.unwrap();
        self.activate("1", "anna").await.unwrap();
    }

    fn live(&self) -> Live {
        Live::new((*self.town.live.now()).clone(), self.rules.clone(), "nowhere.toml".into())
    }
}

both_databases! {
    async fn a_policy_comes_into_force_when_a_second_person_has_signed_it(house: House) {
        assert!(house.in_force().await.unwrap_err().to_string().contains("policy propose"));
        let proposed = house.propose(WIDE, "anna").await.unwrap();
        assert_eq!((proposed.missing, proposed.changes.is_none()), (1, true));
        let early = house.activate("1", "anna").await.unwrap_err().to_string();
        assert!(early.contains("only anna has signed it") && early.contains("policy approve"), "{early}");
        assert!(house.in_force().await.is_err());
        let hash = proposed.policy.hash().to_string();
        let beginning: String = hash.chars().take(8).collect();
        assert_eq!(house.approve(&beginning, &house.person("boris")).await.unwrap().missing, 0);
        assert!(house.in_force().await.is_err(), "approved is not activated");
        house.activate(&hash, "boris").await.unwrap();
        assert_eq!(house.in_force().await.unwrap(), 1);
        let record = house.town.looks().await.join("\n");
        for line in record.lines().filter(|line| line.starts_with("policy.")) {
            assert!(line.contains(&house.profile.digests.whole), "which profile decides what stands in the fields: {line}");
        }
        assert!(record.contains("policy.approved") && record.contains("policy.activated"), "{record}");
        let activations = house.store().activations().await.unwrap();
        assert_eq!((activations.len(), activations[0].grounds, activations[0].by.as_str()), (1, Grounds::Approvals, "boris"));
    }

    async fn one_person_is_not_two_whatever_name_or_key_is_used(house: House) {
        house.propose(WIDE, "anna").await.unwrap();
        assert_eq!(house.approve("1", &house.person("anna")).await.unwrap().missing, 1, "twice the same person");
        let as_boris = Person { name: "boris", key: Some(&house.anna) };
        let error = house.approve("1", &as_boris).await.unwrap_err().to_string();
        assert!(error.contains("not the key that stands under policy.approvers.boris"), "{error}");
        let keyless = house.approve("1", &Person { name: "boris", key: None }).await.unwrap_err().to_string();
        assert!(keyless.contains("--key FILE"), "{keyless}");
        let stranger = Person { name: "eve", key: Some(&house.anna) };
        assert!(house.approve("1", &stranger).await.unwrap_err().to_string().contains("anna, boris"));
        assert!(house.activate("1", "anna").await.is_err());
    }

    async fn closing_the_window_waits_for_nobody_and_opening_it_does(house: House) {
        house.begin().await;
        let narrower = house.propose(&narrow(), "boris").await.unwrap();
        assert_eq!(narrower.missing, 0);
        assert_eq!(narrower.changes.unwrap()[0].sentence, "line1 no longer sees person.phone (was in clear)");
        house.activate("2", "boris").await.unwrap();
        assert_eq!(house.in_force().await.unwrap(), 2);
        assert_eq!(house.store().activations().await.unwrap()[0].grounds, Grounds::Narrowing);
        assert_eq!(house.propose(&wider(), "anna").await.unwrap().missing, 1);
        assert!(house.activate("3", "anna").await.is_err());
        let mut strict = house;
        strict.rules.narrowing_by_one = false;
        assert!(strict.in_force().await.is_err(), "the setting is looked at anew at each start");
    }

    async fn what_the_database_alone_says_is_not_believed(house: House) {
        house.begin().await;
        let policy = load(&wider()).unwrap();
        record_file(house.store(), &policy, &house.profile, &wider(), house.town.clock.now()).await.unwrap();
        let error = house.in_force().await.unwrap_err().to_string();
        assert!(error.contains("not signed by two persons") && error.contains("policy approve"), "{error}");
        let live = house.live();
        assert_eq!(live.reload().await, Reload::Refused);
        assert!(live.newer_is_refused());
        let disguised = narrow().replace("number = 2", "number = 9");
        let mut version = house.store().policies().await.unwrap().remove(0);
        (version.body, version.hash) = (disguised, "ab".repeat(32));
        house.store().keep_policy(version).await.unwrap();
        house.store().activate_policy("ab".repeat(32), Grounds::OnePerson, "x".into(), house.town.clock.now(), Some(2), beside()).await.unwrap();
        assert!(house.in_force().await.is_err());
        let mut lenient = house;
        lenient.rules.two_persons = false;
        assert!(lenient.in_force().await.unwrap_err().to_string().contains("altered"), "the text does not fit its hash");
    }

    async fn two_who_activate_at_once_do_not_overwrite_each_other(house: House) {
        house.begin().await;
        let policy = house.store().policies().await.unwrap().remove(0);
        let now = house.town.clock.now();
        let late = house.store().activate_policy(policy.hash, Grounds::OnePerson, "x".into(), now, None, beside()).await.unwrap();
        assert!(!late, "another was in force already");
    }

    async fn the_history_can_not_be_changed(house: House) {
        house.begin().await;
        for sql in [
            "UPDATE policy_versions SET body = 'x'",
            "DELETE FROM policy_approvals",
            "UPDATE policy_activations SET activated_by = 'x'",
            "DELETE FROM policy_activations",
        ] {
            let done = house.town.database.database().write(move |conn| {
                use diesel::prelude::*;
                diesel::sql_query(sql).execute(conn).map_err(db_kit::DbError::from)
            });
            assert!(done.await.is_err(), "{sql}");
        }
    }

    async fn all_nodes_take_the_policy_from_the_database_and_show_cards_under_it_at_once(house: House) {
        house.begin().await;
        let (one, other) = (house.live(), house.live());
        assert_eq!((one.look().await, other.look().await), (Reload::Replaced, Reload::Replaced));
        assert_eq!(one.look().await, Reload::Unchanged);
        house.propose(&narrow(), "anna").await.unwrap();
        house.activate("2", "anna").await.unwrap();
        assert_eq!((one.look().await, other.look().await), (Reload::Replaced, Reload::Replaced));
        assert_eq!((one.now().policy.number, other.now().policy.number), (2, 2));
    }

    async fn a_file_that_changes_holds_from_the_next_request_on(town: Town) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, WIDE).unwrap();
        let live = Live::new((*town.live.now()).clone(), Rules::default(), file.clone());
        assert_eq!(live.look().await, Reload::Replaced);
        let bridge = live.now();
        assert_eq!((bridge.policy.number, bridge.policy.fields.len()), (1, 2));

        std::fs::write(&file, WIDE.replace("[person.phone]", "[person.credit_limit]")).unwrap();
        assert_eq!(live.look().await, Reload::Refused);
        assert_eq!((live.now().policy.number, live.newer_is_refused()), (1, true));
        assert_eq!(live.look().await, Reload::Unchanged, "it is not tried again and again");
        assert_eq!(live.reload().await, Reload::Refused, "unless somebody asks for it");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(live.look().await, Reload::Refused);

        std::fs::write(&file, wider()).unwrap();
        assert_eq!(live.look().await, Reload::Replaced);
        assert_eq!((live.now().policy.number, live.newer_is_refused()), (3, false));
        assert_eq!(bridge.policy.number, 1, "a request under way keeps the policy that it began with");
        let metrics = town.metrics.to_text().unwrap();
        assert!(metrics.contains("policy_looks_total{outcome=\"refused\"} 3"), "{metrics}");
        assert!(metrics.contains("guichet_bridge_policy_number 3"), "{metrics}");
        let hashes: Vec<u32> = town.bridge.store.policies().await.unwrap().iter().map(|version| version.number).collect();
        assert!(hashes.contains(&1) && hashes.contains(&3), "{hashes:?}");
    }

    async fn a_kept_card_follows_the_new_policy_and_a_new_field_is_asked_for(town: Town) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, WIDE).unwrap();
        let live = Live::new((*town.live.now()).clone(), Rules::default(), file.clone());
        live.look().await;
        let contact = &town.contacts().await[0];
        let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
        let card = town.card_under(&live, 1, &customer_ref, ViewerRole::Line1).await;
        assert!(!field(&card, "person.phone").is_null() && field(&card, "person.city").is_null(), "{card}");

        std::fs::write(&file, wider().replace("type = \"phone\"\nshow = [\"line1\", \"line2\"]", "type = \"phone\"\nshow = [\"line2\"]")).unwrap();
        assert_eq!(live.look().await, Reload::Replaced);
        let card = town.card_under(&live, 1, &customer_ref, ViewerRole::Line1).await;
        assert!(field(&card, "person.phone").is_null(), "what was narrowed holds for what was kept: {card}");
        assert_eq!(field(&card, "person.city")["value"], contact["city"], "{card}");
    }
}
