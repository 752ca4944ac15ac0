//! EspoCRM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crm_fakes::Running;
use crm_fakes::espocrm::EspoCrm;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{http, send, start};

fn get(crm: &Running<EspoCrm>, path: &str) -> RequestBuilder {
    http().get(format!("{}/api/v1/{path}", crm.url)).header("x-api-key", EspoCrm::API_KEY)
}

const BY_MAIL: &str = "Contact?where[0][type]=equals&where[0][attribute]=emailAddress&where[0][value]=Joerg.Mueller@muller-sohne.example";

#[actix_web::test]
async fn only_lists_can_be_narrowed_and_the_alias_wins() {
    let (crm, _) = start(EspoCrm);
    let (status, body) = send(get(&crm, &format!("{BY_MAIL}&select=name,phoneNumber&maxSize=20"))).await;
    let id = EspoCrm::contact_id(1);
    let expected =
        json!({"total": 1, "list": [{"id": id, "name": "Jörg Müller", "phoneNumber": "+49302000001"}]});
    assert_eq!((status, body), (200, expected));
    let (_, body) = send(get(&crm, &format!("{BY_MAIL}&select=name&attributeSelect=description"))).await;
    assert_eq!(crm.marks().found_in(&body.to_string()).len(), 1, "{body}");
    let (_, body) = send(get(&crm, BY_MAIL)).await;
    assert!(body["list"][0]["assignedUserName"].is_string(), "the default set has the owner");
    let (_, one) = send(get(&crm, &format!("Contact/{id}?select=name"))).await;
    assert!(one["opportunityRole"].is_string() && one["cIban"].is_string(), "one record comes whole");
    assert_eq!(send(get(&crm, "Contact/65c0ffee0ffffffff")).await.0, 404);
    assert_eq!(send(get(&crm, "Contact?maxSize=201")).await.0, 403);
    assert!(crm.log().forbidden().is_empty());
    let filter = "Contact?where[0][type]=equals&where[0][attribute]=cIban&where[0][value]=DE";
    assert_eq!(send(get(&crm, filter)).await.0, 403);
    assert_eq!(send(get(&crm, "Opportunity")).await.0, 404);
    assert_eq!(crm.log().forbidden().len(), 2);
    assert_eq!(send(http().get(format!("{}/api/v1/Contact", crm.url))).await.0, 401);
}

#[actix_web::test]
async fn the_total_can_be_left_uncounted() {
    let (crm, _) = start(EspoCrm);
    let page = |offset: usize| {
        let path =
            format!("Contact?select=modifiedAt&orderBy=modifiedAt&order=asc&maxSize=30&offset={offset}");
        get(&crm, &path).header("x-no-total", "true")
    };
    let (_, first) = send(page(0)).await;
    let (_, second) = send(page(30)).await;
    let counts = [&first, &second]
        .map(|page| (page["total"].as_i64().unwrap(), page["list"].as_array().unwrap().len()));
    assert_eq!(counts, [(-1, 30), (-2, 8)]);
    let after = format!(
        "Contact?select=id&where[0][type]=after&where[0][attribute]=modifiedAt&where[0][value]={}",
        second["list"][6]["modifiedAt"].as_str().unwrap()
    );
    assert!(send(get(&crm, &after)).await.1["total"].as_u64().unwrap() <= 1);
}

#[actix_web::test]
async fn a_signed_request_and_a_signed_message_are_signed_as_the_source_does() {
    use hmac::{Hmac, KeyInit, Mac};
    let (crm, _) = start(EspoCrm);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(EspoCrm::HMAC_SECRET.as_bytes()).unwrap();
    mac.update(b"GET /Contact");
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let value = STANDARD.encode(format!("{}:{hex}", EspoCrm::HMAC_KEY));
    let request =
        http().get(format!("{}/api/v1/Contact?select=id", crm.url)).header("x-hmac-authorization", value);
    assert_eq!(send(request).await.0, 200);
    let delivery = crm.crm.updated(crm.world(), &[1, 2]);
    let header = |name: &str| delivery.headers.iter().find(|(key, _)| key == name).unwrap().1.clone();
    let signature = String::from_utf8(STANDARD.decode(header("signature")).unwrap()).unwrap();
    let (id, digest) = signature.split_once(':').unwrap();
    assert_eq!((id, digest.len()), (EspoCrm::WEBHOOK_ID, 64));
    let raw = STANDARD.decode(header("x-signature")).unwrap();
    assert_eq!(raw.len(), EspoCrm::WEBHOOK_ID.len() + 1 + 32);
    assert!(
        !crm.marks().found_in(&String::from_utf8_lossy(&delivery.body)).is_empty(),
        "it carries what changed"
    );
}
