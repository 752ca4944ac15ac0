//! Dataverse.

use bridge_contract::ViewerRole;
use crm_bridge::app::sync::run_due;
use crm_bridge::connector::ask::Question;
use crm_bridge::policy::Entity;
use crm_fakes::dataverse::{Dataverse, id};
use crm_fakes::people::{Gone, MERGED, MERGED_INTO};
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;
use serde_json::json;

use super::aid::{altered, pages};
use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<Dataverse> {
    let crm = Dataverse::default();
    Preset {
        // Microsoft's directory is played by the same server.
        name: altered("dataverse", &[("\"https://login.microsoftonline.com/{tenant}/", "\"/{tenant}/")]),
        secret: crm.client_secret.clone(),
        settings: vec![
            ("CRM__SETTINGS__TENANT", crm.tenant.clone()),
            ("CRM__SETTINGS__CLIENT_ID", crm.client_id.clone()),
            ("CRM__SETTINGS__SCOPE", "https://example.crm4.dynamics.com/.default".to_owned()),
        ],
        base: "",
        crm,
        id: |_, number| id(number),
        names: &[
            "_masterid_value",
            "_parentcustomerid_value",
            "accountid",
            "address1_city",
            "contactid",
            "emailaddress1",
            "emailaddress2",
            "fullname",
            "jobtitle",
            "mobilephone",
            "modifiedon",
            "name",
            "telephone1",
            "websiteurl",
        ],
        by_phone: false,
        fields: &[
            "person.name",
            "company.name",
            "company.website",
            "person.job_title",
            "person.email",
            "person.phone",
            "person.mobile",
            "person.city",
        ],
    }
}

#[test]
fn people_of_dataverse_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        let (_, body) = stage.resolve(7, json!({ "phone": stage.crm.person(1).phones[0].e164 })).await;
        assert_eq!(body["outcome"]["kind"], "matched", "{body}");
        // The second address, and one with a quote.
        stage.matched(8, &stage.crm.person(4).emails[1]).await;
        stage.matched(9, stage.crm.person(29).email()).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_dataverse_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_merged_contact_of_dataverse_names_the_one_that_it_was_merged_into() {
    block_on(async {
        let (stage, _) = Stage::set(preset()).await;
        let question = Question::ById(Entity::Person, id(MERGED));
        let found =
            stage.town.bridge.connector.ask(question).await.unwrap_or_else(|why| panic!("{}", why.as_str()));
        assert_eq!(found.records[0].merged_into, Some(id(MERGED_INTO)));
    });
}

#[test]
fn a_merged_contact_whom_a_search_of_dataverse_finds_is_the_one_who_stays() {
    block_on(async {
        // A search without a word on the state finds the inactive ones, too.
        let name = altered(
            "dataverse",
            &[
                ("\"https://login.microsoftonline.com/{tenant}/", "\"/{tenant}/"),
                ("statecode eq 0 and (emailaddress1", "(emailaddress1"),
            ],
        );
        let (stage, script) = Stage::set(Preset { name, ..preset() }).await;
        let stays = stage.matched(1, stage.crm.person(MERGED_INTO).email()).await;
        let merged = stage.crm.person(MERGED);
        assert_eq!(stage.matched(2, merged.email()).await, stays);
        let (_, card) = stage.card(2, &stays, ViewerRole::Supervisor).await;
        assert!(!card.to_string().contains(merged.email()), "{card}");
        // The one who stays is deleted, so nobody stays.
        stage.crm.change(MERGED_INTO, |person| person.gone = Some(Gone::Deleted));
        let (_, body) = stage.resolve(3, json!({ "email": merged.email() })).await;
        assert_eq!(body["outcome"]["kind"], "none", "{body}");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_next_page_at_another_host_is_not_asked_for() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        let elsewhere = crate::support::WireCrm::answering(|_| crate::support::json_answer(&json!({}))).await;
        stage.crm.switch().set_elsewhere(&elsewhere.url);
        stage.crm.switch().always(Fault::NextElsewhere);
        assert!(pages(&stage, 15).await.is_err());
        assert!(elsewhere.requests().is_empty(), "the token went elsewhere");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_dataverse_has_a_reason_and_a_pause_is_kept() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        // With a token in hand, so that the trouble is not with the token.
        stage.matched(13, stage.crm.person(12).email()).await;
        kit::trouble_has_a_reason(&stage).await;
        // Retry-After: 7
        stage.crm.switch().on(Fault::Throttle, 1);
        let email = stage.crm.person(15).email().to_owned();
        assert_eq!(stage.reason(&email).await, "rate_limited");
        let asked = stage.crm.log().count();
        stage.town.clock.advance_ms(6_000);
        stage.reason(&email).await;
        assert_eq!(stage.crm.log().count(), asked, "asked during the pause");
        stage.town.clock.advance_ms(2_000);
        stage.matched(15, &email).await;
        stage.crm.switch().on(Fault::TokenExpired, 1);
        stage.matched(16, stage.crm.person(16).email()).await;
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(17, stage.crm.person(17).email()).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}

/// What the bridge does when its time has come; how many customers it found to be gone.
async fn later(stage: &Stage<Dataverse>, seconds: i64) -> u64 {
    stage.town.clock.advance_ms(seconds * 1_000);
    run_due(&stage.town.bridge).await.unwrap().erased
}

async fn erased(stage: &Stage<Dataverse>, ticket: u64, customer_ref: &str) -> bool {
    stage.card(ticket, customer_ref, ViewerRole::Line1).await.0 == 410
}

fn delta_requests(stage: &Stage<Dataverse>) -> usize {
    stage.crm.log().lines().iter().filter(|line| line.contains("deltatoken")).count()
}

#[test]
fn deletions_in_dataverse_are_told_by_the_mark_for_the_next_time_without_listing_everybody_again() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        let mut refs = Vec::new();
        for number in [10, 12, 14] {
            refs.push(stage.matched(u64::from(number), stage.crm.person(number).email()).await);
        }
        assert_eq!(later(&stage, 0).await, 0, "the first walk only lists ids");
        assert_eq!(delta_requests(&stage), 0);
        let gone = |number: u32| stage.crm.change(number, |person| person.gone = Some(Gone::Deleted));
        stage.town.clock.advance_ms(1_000);
        gone(10);
        stage.crm.change(14, |person| person.city = "Köln".to_owned());
        assert_eq!(later(&stage, 60).await, 1, "{}", stage.crm.log().lines().join("\n"));
        assert!(erased(&stage, 10, &refs[0]).await);
        assert_eq!(delta_requests(&stage), 1);
        assert_eq!(later(&stage, 1).await, 0);
        assert_eq!(delta_requests(&stage), 1, "a mark for the next time is no reason not to wait");
        assert_eq!(later(&stage, 60).await, 0);
        assert_eq!(delta_requests(&stage), 2, "each answer hands out the next one");

        // The bridge is away for so long that the CRM forgets the mark, and somebody is deleted meanwhile.
        gone(12);
        assert_eq!(later(&stage, 8 * 86_400).await, 1, "{}", stage.crm.log().lines().join("\n"));
        assert!(erased(&stage, 12, &refs[1]).await && !erased(&stage, 14, &refs[2]).await);
        stage.town.clock.advance_ms(1_000);
        gone(14);
        assert_eq!(later(&stage, 60).await, 1, "from the new mark on");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_mark_for_the_next_time_that_leads_elsewhere_is_not_followed() {
    block_on(async {
        let (stage, _) = Stage::set(preset()).await;
        let customer_ref = stage.matched(10, stage.crm.person(10).email()).await;
        stage.crm.switch().on(Fault::NextElsewhere, 1);
        let error = run_due(&stage.town.bridge).await.unwrap_err();
        assert!(error.to_string().contains("next_link"), "{error}");
        stage.crm.change(10, |person| person.gone = Some(Gone::Deleted));
        assert_eq!(
            later(&stage, 60).await,
            1,
            "the walk begins again, and who went before its mark is asked about"
        );
        assert!(erased(&stage, 10, &customer_ref).await);
    });
}
