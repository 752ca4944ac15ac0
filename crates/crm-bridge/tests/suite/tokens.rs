//! Keys that are given for an hour: renewed once for all, in time, kept before they are used, and never shown.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crm_bridge::connector::ask::Question;
use crm_bridge::connector::trouble::Trouble;
use crm_bridge::policy::Entity;
use db_kit::testing::block_on;
use serde_json::json;
use service_kit::Personal;
use tempfile::TempDir;

use crate::support::{Town, json_answer, status_answer};
use crate::wire::{Wire, people, profile, with_table};

const ROTATING: &str = "[auth]\nkind = \"oauth2\"\ngrant = \"refresh-token\"\ntoken = \"/token\"\nclient_id = \"bridge\"\n\
                        client_secret = \"{secret}\"\nrefresh = \"{secret.refresh_token}\"\nrotates = true\n";
const CLIENT: &str = "[auth]\nkind = \"oauth2\"\ngrant = \"client-credentials\"\ntoken = \"/token\"\nclient_id = \"bridge\"\n\
                      client_secret = \"{secret}\"\n";

/// A token endpoint beside a CRM: each refresh token can be used once, each access token until it is taken back.
#[derive(Default)]
struct Desk {
    given: Cell<u32>,
    refresh: RefCell<String>,
    valid: RefCell<Option<String>>,
    /// The base address in its answers.
    named: Cell<Option<&'static str>>,
}

impl Desk {
    fn new() -> Rc<Self> {
        Rc::new(Self { refresh: RefCell::new("first-refresh".to_owned()), ..Self::default() })
    }

    fn answer(&self, request: &str) -> Vec<u8> {
        if !request.starts_with("POST /token") {
            let known = self
                .valid
                .borrow()
                .as_ref()
                .is_some_and(|token| request.contains(&format!("Bearer {token}\r\n")));
            let header =
                if known { people(&["a"], &json!({})) } else { status_answer("401 Unauthorized", "") };
            return header;
        }
        let with_refresh = request.contains("grant_type=refresh_token");
        if with_refresh && !request.contains(&format!("refresh_token={}", self.refresh.borrow())) {
            return refusal();
        }
        let number = self.given.get() + 1;
        self.given.set(number);
        *self.valid.borrow_mut() = Some(format!("access-{number}-x"));
        *self.refresh.borrow_mut() = format!("refresh-{number}-x");
        json_answer(&json!({
            "access_token": format!("access-{number}-x"), "refresh_token": format!("refresh-{number}-x"), "expires_in": 3600,
            "instance_url": self.named.get()
        }))
    }
}

fn refusal() -> Vec<u8> {
    let body = json!({ "error": "invalid_grant", "error_description": "secret words" }).to_string();
    format!("HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

async fn beside(desk: &Rc<Desk>, auth: &str) -> (Town, Wire, TempDir) {
    let hands = Rc::clone(desk);
    let crm = Wire::answering(move |request| hands.answer(request)).await;
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(&folder, |text| with_table(&text, "auth", auth));
    let settings = [("CRM__PROFILE", profile.as_str()), ("CRM__SECRETS__REFRESH_TOKEN", "first-refresh")];
    let town = Town::on_sqlite(&crm.url, &settings).await;
    (town, crm, folder)
}

fn about(name: &str) -> Question {
    Question::ByEmail(Personal::new(format!("{name}@x.example")))
}

#[test]
fn one_request_for_a_token_serves_all_who_wait_and_it_is_renewed_before_it_ends() {
    block_on(async {
        let desk = Desk::new();
        let (town, crm, _folder) = beside(&desk, CLIENT).await;
        let connector = &town.bridge.connector;
        let names = ["a", "b", "c", "d", "e", "f"];
        let all = futures_util::future::join_all(names.map(|name| connector.ask(about(name)))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(crm.with("POST /token").len(), 1);
        let token = &crm.with("POST /token")[0];
        assert!(token.contains("grant_type=client_credentials&client_id=bridge&client_secret="), "{token}");
        town.clock.advance_ms(3_299_000);
        connector.ask(about("g")).await.unwrap();
        assert_eq!(crm.with("POST /token").len(), 1, "still good");
        town.clock.advance_ms(2_000);
        connector.ask(about("h")).await.unwrap();
        assert_eq!(crm.with("POST /token").len(), 2, "renewed five minutes before its end");
    });
}

#[test]
fn a_token_that_the_crm_takes_back_is_renewed_once_and_the_question_asked_again() {
    block_on(async {
        let desk = Desk::new();
        let (town, crm, _folder) = beside(&desk, CLIENT).await;
        town.bridge.connector.ask(about("a")).await.unwrap();
        *desk.valid.borrow_mut() = None;
        assert!(town.bridge.connector.ask(about("b")).await.is_ok());
        assert_eq!((crm.with("POST /token").len(), crm.with("GET").len()), (2, 3));
        // A CRM that refuses whatever it gives is not asked on and on.
        let hands = Rc::clone(&desk);
        let stubborn = Wire::answering(move |request| {
            let answer = hands.answer(request);
            *hands.valid.borrow_mut() = None;
            answer
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let profile = profile(&folder, |text| with_table(&text, "auth", CLIENT));
        let town = Town::on_sqlite(&stubborn.url, &[("CRM__PROFILE", &profile)]).await;
        assert_eq!(town.bridge.connector.ask(about("a")).await.err(), Some(Trouble::Credentials));
        assert_eq!((stubborn.with("POST /token").len(), stubborn.with("GET").len()), (2, 2));
    });
}

#[test]
fn a_refresh_token_that_works_once_is_kept_before_what_came_with_it_is_used() {
    block_on(async {
        let desk = Desk::new();
        let (town, crm, _folder) = beside(&desk, ROTATING).await;
        // The database can be read but not written from here on.
        let sql = "CREATE TRIGGER full BEFORE UPDATE OF sealed ON crm_tokens BEGIN SELECT RAISE(ABORT, 'full'); END";
        execute(&town, sql).await;
        assert_eq!(town.bridge.connector.ask(about("a")).await.err(), Some(Trouble::TokenNotKept));
        assert_eq!(
            (crm.with("POST /token").len(), crm.with("GET").len()),
            (1, 0),
            "not used before it is kept"
        );
        execute(&town, "DROP TRIGGER full").await;
        assert!(town.bridge.connector.ask(about("a")).await.is_ok(), "kept now, and used");
        assert_eq!(crm.with("POST /token").len(), 1);
        let sealed = sealed(&town).await;
        for text in ["access-1-x", "refresh-1-x", "first-refresh"] {
            assert!(!sealed.windows(text.len()).any(|bytes| bytes == text.as_bytes()), "{text} lies open");
        }
    });
}

#[test]
fn a_refresh_token_is_kept_even_if_the_address_that_came_with_it_is_refused() {
    block_on(async {
        let desk = Desk::new();
        desk.named.set(Some("https://crm.elsewhere.example"));
        let host = "[host]\nfrom_token = { at = \"/instance_url\", suffixes = [\".my.crm.example\"] }\n\n";
        let (town, crm, _folder) = beside(&desk, &format!("{host}{ROTATING}")).await;
        assert_eq!(town.bridge.connector.ask(about("a")).await.err(), Some(Trouble::HostRefused));
        assert_eq!((crm.with("POST /token").len(), crm.with("GET").len()), (1, 0));
        // Somebody has put right what was wrong at the CRM. The first refresh token is worth nothing any more.
        desk.named.set(Some("https://localhost.my.crm.example"));
        town.clock.advance_ms(60_000);
        let after = town.bridge.connector.ask(about("b")).await.err();
        assert_ne!(after, Some(Trouble::TokenSpent), "nobody has to authorise the bridge again");
        assert!(crm.with("POST /token")[1].contains("refresh_token=refresh-1-x"));
    });
}

#[test]
fn what_one_process_kept_another_goes_on_with() {
    block_on(async {
        let desk = Desk::new();
        let (town, crm, _folder) = beside(&desk, ROTATING).await;
        town.bridge.connector.ask(about("a")).await.unwrap();
        // The process ends here and another begins: the kept token is used, the refresh token is not.
        let second = town.another_process(7);
        second.ask(about("b")).await.unwrap();
        assert_eq!(crm.with("POST /token").len(), 1);
        // Both at once, after the token has run out.
        town.clock.advance_ms(3_600_000);
        let (one, other) = tokio::join!(town.bridge.connector.ask(about("c")), second.ask(about("d")));
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(crm.with("POST /token").len(), 2, "one of the two renewed it for both");
        assert!(crm.with("POST /token")[1].contains("refresh_token=refresh-1-x"));
    });
}

#[test]
fn a_refresh_token_that_was_used_before_is_a_state_that_a_person_can_end() {
    block_on(async {
        let desk = Desk::new();
        let (town, crm, folder) = beside(&desk, ROTATING).await;
        town.bridge.connector.ask(about("a")).await.unwrap();
        // The process stops after the CRM has given new tokens and before they are on the disk.
        *desk.refresh.borrow_mut() = "given-and-lost".to_owned();
        *desk.valid.borrow_mut() = None;
        execute(&town, "UPDATE crm_tokens SET state = 'asking'").await;
        let second = town.another_process(7);
        assert_eq!(second.ask(about("b")).await.err(), Some(Trouble::TokenSpent));
        let asked = crm.with("POST /token").len();
        let third = town.another_process(8);
        assert_eq!(third.ask(about("c")).await.err(), Some(Trouble::TokenSpent));
        assert_eq!(crm.with("POST /token").len(), asked, "a token that is spent is not sent again");
        let (_, problem) = town.resolve(1, json!({ "email": "z@x.example" })).await;
        assert!(!problem.to_string().contains("secret words"), "{problem}");
        // Authorised again: another first token in the settings.
        *desk.refresh.borrow_mut() = "second-first".to_owned();
        let profile = folder.path().join("wire.toml").display().to_string();
        let settings = [("CRM__PROFILE", profile.as_str()), ("CRM__SECRETS__REFRESH_TOKEN", "second-first")];
        let again = Town::on_sqlite(&crm.url, &settings).await;
        assert!(again.bridge.connector.ask(about("d")).await.is_ok());
    });
}

#[test]
fn a_base_address_in_a_token_answer_is_followed_only_where_the_profile_says() {
    block_on(async {
        for (named, trouble) in [
            (None, Some(Trouble::UnexpectedShape)),
            (Some("https://crm.elsewhere.example"), Some(Trouble::HostRefused)),
            (Some("http://10.0.0.1"), Some(Trouble::HostRefused)),
            (Some("https://localhost.my.crm.example"), None),
        ] {
            let crm = Wire::answering(move |request| {
                if request.starts_with("POST /token") {
                    return json_answer(&json!({ "access_token": "t", "instance_url": named }));
                }
                people(&["a"], &json!({}))
            })
            .await;
            let folder = tempfile::tempdir().unwrap();
            let profile = profile(&folder, |text| {
                let host =
                    "[host]\nfrom_token = { at = \"/instance_url\", suffixes = [\".my.crm.example\"] }\n\n";
                with_table(&text, "auth", &format!("{host}{CLIENT}"))
            });
            let town = Town::on_sqlite(&crm.url, &[("CRM__PROFILE", &profile)]).await;
            let outcome = town.bridge.connector.ask(about("a")).await;
            let expected = trouble.unwrap_or(Trouble::Unreachable);
            let got = outcome.err().unwrap();
            // A name that may be asked but does not exist (RFC 2606) ends in the resolver.
            assert!(
                got == expected || (trouble.is_none() && got == Trouble::HostRefused),
                "{named:?}: {got:?}"
            );
            assert!(crm.with("GET").is_empty(), "{named:?}");
        }
    });
}

#[test]
fn a_log_in_gives_a_session_and_a_signature_is_made_for_each_request() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let crm = Wire::answering(|request| {
            if request.starts_with("POST /login") {
                assert!(request.ends_with(r#"{"key":"sandbox-key-0123456789"}"#), "{request}");
                return b"HTTP/1.1 200 OK\r\nset-cookie: sid=abc; Path=/; HttpOnly\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec();
            }
            if request.contains("cookie: sid=abc\r\n") { people(&["a"], &json!({})) } else { status_answer("401 X", "") }
        })
        .await;
        let login = "[auth]\nkind = \"login\"\ncookie = \"sid\"\nrequest = { post = \"/login\", json = { key = \"{secret}\" } }\n";
        let profile_file = profile(&folder, |text| with_table(&text, "auth", login));
        let town = Town::on_sqlite(&crm.url, &[("CRM__PROFILE", &profile_file)]).await;
        assert!(town.bridge.connector.ask(about("a")).await.is_ok());

        let crm = Wire::answering(|_| people(&["a"], &json!({}))).await;
        let hmac = "[auth]\nkind = \"hmac\"\nheader = \"X-Hmac-Authorization\"\nalgorithm = \"sha256\"\n\
                    message = \"{method} /{path}\"\nvalue = \"base64-of-key-colon-hex\"\nkey = \"k1\"\n";
        let profile_file = profile(&folder, |text| with_table(&text, "auth", hmac));
        let town = Town::on_sqlite(&format!("{}/sub", crm.url), &[("CRM__PROFILE", &profile_file)]).await;
        assert!(town.bridge.connector.ask(about("a")).await.is_ok());
        let request = &crm.with("GET")[0];
        let value = request.lines().find_map(|line| line.strip_prefix("x-hmac-authorization: ")).unwrap();
        use base64::Engine;
        let text =
            String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).unwrap()).unwrap();
        // printf 'GET /api/v1/contacts' | openssl dgst -sha256 -hmac sandbox-key-0123456789
        assert_eq!(text, "k1:149d8a505669087c202a37419e38b281813f116a57d96d529d631dd08e2c5469");
    });
}

async fn execute(town: &Town, sql: &'static str) {
    let run = town.database.write(move |conn| {
        diesel::connection::SimpleConnection::batch_execute(conn, sql).map_err(db_kit::DbError::from)
    });
    run.await.unwrap();
}

async fn sealed(town: &Town) -> Vec<u8> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Binary)]
        sealed: Vec<u8>,
    }
    let row = town.database.read(|conn| {
        diesel::sql_query("SELECT sealed FROM crm_tokens")
            .get_result::<Row>(conn)
            .map_err(db_kit::DbError::from)
    });
    row.await.unwrap().sealed
}

#[test]
fn a_record_that_is_hidden_from_us_does_not_renew_the_token_at_each_look() {
    block_on(async {
        let desk = Desk::new();
        let hands = Rc::clone(&desk);
        let crm = Wire::answering(move |request| {
            let hidden = request.contains("/contacts/hidden");
            if hidden { status_answer("403 Forbidden", "") } else { hands.answer(request) }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let profile = profile(&folder, |text| with_table(&text, "auth", CLIENT));
        let town = Town::on_sqlite(&crm.url, &[("CRM__PROFILE", profile.as_str())]).await;
        let connector = &town.bridge.connector;
        connector.ask(about("a")).await.unwrap();
        for _ in 0..20 {
            let hidden = Question::ById(Entity::Person, "hidden".to_owned());
            assert_eq!(connector.ask(hidden).await.err(), Some(Trouble::Credentials));
            connector.ask(about("a")).await.unwrap();
            town.clock.advance_ms(10_000);
        }
        assert_eq!(crm.with("POST /token").len(), 2, "one new token has shown that it is not the token");
        // A token that really is no good any more is renewed all the same.
        *desk.valid.borrow_mut() = None;
        assert!(connector.ask(about("b")).await.is_ok());
        assert_eq!(crm.with("POST /token").len(), 3);
    });
}
