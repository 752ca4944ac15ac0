//! Wall 3.

use bridge_contract::ViewerRole;
use db_kit::Backend;
use serde_json::json;

use super::ensure;
use crate::support::{Down, Town, WireCrm, field, json_answer};

pub(super) async fn misfits(down: Down) -> Result<(), String> {
    // Listed members, each with something in it that does not belong there.
    let person = json!({
        "id": "a",
        "email": "ann@x.example",
        "full_name": "owes 987654.32 EUR",
        "phone": "DE89 3704 0044 0532 0130 00",
        "mobile": "4111 1111 1111 1111",
        "job_title": "x".repeat(81),
        "language": "5f4dcc3b5aa765d61d8327deb882cf99",
        "time_zone": "Europe/\u{202e}Berlin",
        "service_level": "platinum",
        "support_until": "the day the invoice is paid",
        "city": 987_654,
        "company": { "name": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln", "website": "javascript:alert(1)" },
    });
    let crm = WireCrm::answering(move |line| {
        let one = line.contains("/contacts/");
        json_answer(&if one { person.clone() } else { json!({ "items": [person], "next_cursor": null }) })
    })
    .await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    let customer_ref = town.matched(1, "ann@x.example").await;
    for kept in [true, false] {
        if !kept {
            town.later();
        }
        let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
        ensure(status == 200, format!("{card}"))?;
        for key in [
            "person.name",
            "person.phone",
            "person.mobile",
            "person.job_title",
            "person.language",
            "person.time_zone",
            "person.service_level",
            "person.support_until",
            "person.city",
            "company.name",
            "company.website",
        ] {
            let value = field(&card, key);
            ensure(*value == json!({ "kind": "withheld" }), format!("{key} is {value}"))?;
        }
        ensure(field(&card, "person.email")["value"] == "ann@x.example", "what fits is withheld")?;
    }
    Ok(())
}
