//! A CRM that is asked in GraphQL: the selection set is made of the policy, and the address stays a variable.

use crm_bridge::connector::ask::Question;
use db_kit::testing::block_on;
use serde_json::{Value, json};
use service_kit::Personal;

use crate::support::{Town, json_answer};
use crate::wire::{Wire, profile, with_line};

const BY_EMAIL: &str = "by_email = { post = \"/graphql\", json = { query = \"query($address: String!, $first: Int!) \
                        { people(email: $address, first: $first) {select:graphql} }\", \
                        variables = { address = \"{value}\", first = \"{size}\" } }, \
                        answer = { records = \"/data/people\" } }";

#[test]
fn a_selection_set_of_graphql_names_what_the_policy_lists_and_nothing_else() {
    block_on(async {
        let crm = Wire::answering(|_| {
            let person = json!({
                "id": "7", "email": "o'hara@x.example", "full_name": "Person 7", "company": { "name": "Volga", "revenue": 12 }
            });
            json_answer(&json!({ "data": { "people": [person] } }))
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let profile = profile(&folder, |text| {
            let text = with_line(&text, "by_email =", BY_EMAIL);
            text.replace("\"/city\"", "\"/address/city\"").replace("\"/time_zone\"", "\"/address/time_zone\"")
        });
        let town = Town::on_sqlite(&crm.url, &[("CRM__PROFILE", &profile)]).await;
        let asked = Question::ByEmail(Personal::new("o'hara@x.example".to_owned()));
        let found = town.bridge.connector.ask(asked).await.unwrap();
        assert_eq!(found.records.len(), 1);
        let request = crm.with("POST /graphql").remove(0);
        let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["variables"]["address"], "o'hara@x.example");
        let query = body["query"].as_str().unwrap();
        let set = query
            .strip_prefix("query($address: String!, $first: Int!) { people(email: $address, first: $first) ");
        let set = set.unwrap_or_else(|| panic!("{query}")).strip_suffix(" }").unwrap();
        let names: Vec<&str> = set
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|name| !name.is_empty())
            .collect();
        let members =
            town.bridge.connector.made_of(crm_bridge::connector::profile::Purpose::ByEmail).unwrap();
        let listed = members.split_once("members ").unwrap().1;
        let mut listed: Vec<&str> = listed.split(", ").flat_map(|path| path.split('.')).collect();
        listed.sort_unstable();
        listed.dedup();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once, listed, "{set}");
        assert!(
            set.contains("address { city time_zone }"),
            "members of a member stand in a set of their own: {set}"
        );
        assert_eq!(set.matches('{').count(), set.matches('}').count(), "{set}");
        assert!(!names.contains(&"revenue"), "{set}");
    });
}
