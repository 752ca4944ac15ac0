//! Dataverse.

use crm_fakes::Running;
use crm_fakes::dataverse::{Dataverse, id};
use crm_fakes::people::{DELETED, MERGED, MERGED_INTO};
use crm_fakes::switch::Fault;
use serde_json::{Value, json};

use crate::support::{http, send, start};

async fn token(crm: &Running<Dataverse>) -> String {
    let url = format!("{}/{}/oauth2/v2.0/token", crm.url, crm.crm.tenant);
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={}/.default",
        crm.crm.client_id, crm.crm.client_secret, crm.url
    );
    let (_, body) = send(http().post(url).body(body)).await;
    assert_eq!(body["expires_in"], 3599);
    body["access_token"].as_str().unwrap().to_owned()
}

async fn get(crm: &Running<Dataverse>, token: &str, path: &str) -> (u16, Value) {
    let url =
        if path.starts_with("http") { path.to_owned() } else { format!("{}/api/data/v9.2/{path}", crm.url) };
    send(http().get(url).bearer_auth(token).header("Prefer", "odata.maxpagesize=15")).await
}

#[actix_web::test]
async fn without_a_selection_money_comes_twice() {
    let (crm, _) = start(Dataverse::default());
    let key = token(&crm).await;
    let (_, narrow) = get(&crm, &key, "contacts?$select=fullname").await;
    let members: Vec<&String> = narrow["value"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["@odata.etag", "contactid", "fullname"]);
    assert!(crm.log().forbidden().is_empty());
    let (_, wide) = get(&crm, &key, &format!("contacts({})", id(1))).await;
    assert!(
        wide["creditlimit"].is_number()
            && wide["creditlimit_base"].is_number()
            && wide["aging30"].is_number()
    );
    assert_eq!(crm.log().forbidden().len(), 1);
    let (status, _) = get(&crm, &key, "contacts?$select=nme").await;
    assert_eq!(status, 400);
}

#[actix_web::test]
async fn pages_are_whole_addresses() {
    let (crm, _) = start(Dataverse::default());
    let key = token(&crm).await;
    let (mut seen, mut next) =
        (0, "contacts?$select=fullname,merged&$orderby=modifiedon,contactid".to_owned());
    loop {
        let (status, page) = get(&crm, &key, &next).await;
        assert_eq!(status, 200, "{page}");
        seen += page["value"].as_array().unwrap().len();
        match page["@odata.nextLink"].as_str() {
            Some(link) => next = link.to_owned(),
            None => break,
        }
        assert!(next.starts_with(&crm.url) && next.contains("$skiptoken="), "{next}");
    }
    assert_eq!(seen, 39, "merged contacts stay, deleted ones do not");
    assert!(crm.log().forbidden().is_empty());
}

#[actix_web::test]
async fn filters_find_and_merged_contacts_name_their_master() {
    let (crm, _) = start(Dataverse::default());
    let key = token(&crm).await;
    let filter = "contacts?$select=fullname&$filter=emailaddress1 eq 's.o''brien@obrien.example'";
    assert_eq!(get(&crm, &key, filter).await.1["value"][0]["contactid"], id(29));
    let phone = crm_fakes::wire::encode(&crm.person(1).phones[0].e164);
    let filter =
        format!("contacts?$select=fullname&$filter=telephone1 eq '{phone}' or mobilephone eq '{phone}'");
    assert_eq!(get(&crm, &key, &filter).await.1["value"][0]["contactid"], id(1));
    let (_, one) =
        get(&crm, &key, &format!("contacts({})?$select=merged,_masterid_value,statecode", id(MERGED))).await;
    assert_eq!((&one["_masterid_value"], &one["statecode"]), (&json!(id(MERGED_INTO)), &json!(1)));
    assert!(crm.log().forbidden().is_empty());
    get(&crm, &key, "contacts?$select=fullname&$filter=creditlimit gt 5").await;
    get(&crm, &key, "contacts?$select=fullname&$expand=parentcustomerid_account").await;
    get(&crm, &key, "opportunities").await;
    assert_eq!(crm.log().forbidden().len(), 3);
}

#[actix_web::test]
async fn deletions_come_by_delta_and_limits_with_a_pause() {
    let (crm, hands) = start(Dataverse::default());
    let key = token(&crm).await;
    let url = format!("{}/api/data/v9.2/contacts?$select=fullname", crm.url);
    let tracked = http().get(url).bearer_auth(&key).header("Prefer", "odata.track-changes");
    let link = send(tracked).await.1["@odata.deltaLink"].as_str().unwrap().to_owned();
    hands.forward_s(60);
    crm.change(DELETED, |_| ());
    let (_, changes) = get(&crm, &key, &link).await;
    assert_eq!(
        (&changes["value"][0]["reason"], &changes["value"][0]["id"]),
        (&json!("deleted"), &json!(id(DELETED)))
    );
    crm.switch().on(Fault::Throttle, 1);
    let answer =
        http().get(format!("{}/api/data/v9.2/contacts", crm.url)).bearer_auth(&key).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    hands.forward_s(8 * 86_400);
    let key = token(&crm).await;
    assert_eq!(get(&crm, &key, &link).await.0, 410);
    crm.switch().on(Fault::NextElsewhere, 1);
    let (_, page) = get(&crm, &key, "contacts?$select=fullname").await;
    assert!(page["@odata.nextLink"].as_str().unwrap().starts_with("http://127.0.0.2:9/"));
}
