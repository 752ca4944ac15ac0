//! The panel in a frame of the CRM: who sees it, for how long, and what it refuses without telling why.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crm_bridge::app::crm_api::keys::{Scope, panel_secret};
use db_kit::{Backend, both_databases};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::{Answer, CrmTown, looks};

/// A link as the CRM makes it itself, by the documented scheme.
fn signed(crm: &CrmTown, key: &str, customer: &str, expires_s: i64) -> String {
    let key_id: String = key.chars().take(20).collect();
    let secret = panel_secret(&crm.town.bridge.vault, &key_id);
    sign(secret.expose(), &format!("1:{expires_s}:{key_id}:{customer}"))
}

fn sign(secret: &str, payload: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(payload.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{}.{signature}", URL_SAFE_NO_PAD.encode(payload))
}

async fn open(crm: &CrmTown, link: &str) -> Answer {
    Answer::of(crm.town.http.get(format!("{}/panel/{link}", crm.crm_api))).await
}

async fn opened(crm: &CrmTown) -> (String, String) {
    let (id, customer) = crm.customer(0, 10_001).await;
    crm.tells(10_001, 2, looks(&customer, "opened", "<b>Coupling</b> stuck", "waiting_customer")).await;
    (id, crm.key(&[Scope::PanelSign]).await)
}

both_databases! {
    async fn a_link_of_the_bridge_shows_one_customers_tickets_for_a_while(crm: CrmTown) {
        let (id, key) = opened(&crm).await;
        let answer = crm.post(&key, "/v1/panel-urls", &[], json!({ "customer_id": id })).await.expect(200);
        let url = answer["url"].as_str().unwrap();
        let link = url.strip_prefix("https://bridge.example.org/panel/").unwrap();
        let page = open(&crm, link).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("&lt;b&gt;Coupling&lt;/b&gt; stuck") && page.text.contains("10001"), "{}", page.text);
        assert!(page.text.contains("waiting for the customer") && page.text.contains("2026-11-21 08:00 UTC"), "{}", page.text);
        for word in ["<script", "<a ", "urgent", "cus_", "77", key.as_str(), id.as_str()] {
            assert!(!page.text.contains(word), "{word}: {}", page.text);
        }
        crm.town.clock.advance_ms(299_000);
        assert_eq!(open(&crm, link).await.status, 200);
        crm.town.clock.advance_ms(1_000);
        let expired = open(&crm, link).await;
        assert_eq!(expired.status, 410);
        assert!(expired.text.contains("has expired") && !expired.text.contains("Coupling"), "{}", expired.text);
    }

    async fn a_browser_is_told_who_may_frame_it_and_to_keep_nothing(crm: CrmTown) {
        let (id, key) = opened(&crm).await;
        let link = signed(&crm, &key, &id, crm.town.clock.now().seconds() + 60);
        for page in [open(&crm, &link).await, open(&crm, "x.y").await] {
            assert_eq!(
                page.header("content-security-policy"),
                "default-src 'none'; style-src 'self'; frame-ancestors https://crm.example.org; base-uri 'none'; form-action 'none'"
            );
            assert_eq!((page.header("cache-control"), page.header("x-frame-options")), ("no-store", ""));
            assert_eq!((page.header("referrer-policy"), page.header("set-cookie")), ("no-referrer", ""));
            assert_eq!(page.header("x-content-type-options"), "nosniff");
        }
        let style = open(&crm, "style.css").await;
        assert!(style.status == 200 && style.text.contains("--accent") && style.header("x-frame-options") == "DENY");
    }

    async fn it_speaks_the_readers_language_and_follows_their_theme(crm: CrmTown) {
        let (id, key) = opened(&crm).await;
        let link = signed(&crm, &key, &id, crm.town.clock.now().seconds() + 60);
        let request = crm.town.http.get(format!("{}/panel/{link}", crm.crm_api)).header("accept-language", "ru-RU,ru;q=0.9");
        let page = Answer::of(request).await;
        assert!(page.text.contains("ждём клиента") && page.header("content-language") == "ru", "{}", page.text);
        let page = open(&crm, &format!("{link}?lang=ru&theme=dark")).await;
        assert!(page.text.contains("<html lang=\"ru\" data-theme=\"dark\">"), "{}", page.text);
        let page = open(&crm, &format!("{link}?theme=%22%3E%3Cscript%3E")).await;
        assert!(page.text.contains("<html lang=\"en\">"), "{}", page.text);
    }

    async fn a_link_that_is_not_right_is_refused_alike_whatever_is_wrong(backend: Backend) {
        let crm = CrmTown::with(backend, &[("CRM_API__FAILED_KEYS_PER_MINUTE", "1000")]).await;
        let (id, key) = opened(&crm).await;
        let now = crm.town.clock.now().seconds();
        let right = signed(&crm, &key, &id, now + 60);
        assert_eq!(open(&crm, &right).await.status, 200);
        let (payload, signature) = right.split_once('.').unwrap();
        let reader = crm.key(&[Scope::TicketsRead]).await;
        let revoked = crm.key(&[Scope::PanelSign]).await;
        let revoked_link = signed(&crm, &revoked, &id, now + 60);
        crm.town.bridge.store.revoke_crm_key(revoked.chars().take(20).collect(), crm.town.clock.now()).await.unwrap();
        let other = URL_SAFE_NO_PAD.encode(format!("1:{}:{}:someone-else", now + 60, &key.chars().take(20).collect::<String>()));
        let long = "a".repeat(2_000);
        let wrong = [
            "x", "x.y", payload, long.as_str(),
            &format!("{payload}."), &format!("{payload}.{signature}A"), &format!("{payload}.{}", signature.to_lowercase()),
            &format!("{other}.{signature}"),
            &sign("gps_guessed", &format!("1:{}:gck_0123456789abcdef:{id}", now + 60)),
            &signed(&crm, &reader, &id, now + 60),
            &revoked_link,
            // Lasts longer than the bridge allows, as from a clock that is ahead.
            &signed(&crm, &key, &id, now + 331),
            &sign(panel_secret(&crm.town.bridge.vault, &key).expose(), "2:9999999999:x:y"),
            &signed(&crm, &key, "a\u{0}b", now + 60),
        ];
        let mut texts: Vec<String> = vec![];
        for link in wrong {
            let page = open(&crm, link).await;
            assert_eq!(page.status, 403, "{link}: {}", page.text);
            texts.push(page.text);
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "what was wrong is not told");
        assert!(texts[0].contains("This view is not valid") && !texts[0].contains("Coupling"));
        assert_eq!(open(&crm, &signed(&crm, &key, &id, now + 330)).await.status, 200, "a clock may be a little ahead");
        assert_eq!(open(&crm, &signed(&crm, &key, &id, now)).await.status, 410);
    }

    async fn a_customer_without_tickets_has_an_empty_panel_known_or_not(crm: CrmTown) {
        let (_, key) = opened(&crm).await;
        let (known, _) = crm.customer(1, 10_002).await;
        let now = crm.town.clock.now().seconds();
        let mut pages = vec![];
        for id in [known.as_str(), "nobody-knows", "with:colons:in it"] {
            let page = open(&crm, &signed(&crm, &key, id, now + 60)).await;
            assert!(page.status == 200 && page.text.contains("has no tickets"), "{}", page.text);
            pages.push(page.text);
        }
        assert!(pages.iter().all(|page| *page == pages[0]));
    }

    async fn wrong_links_are_slowed_down(backend: Backend) {
        let crm = CrmTown::with(backend, &[("CRM_API__FAILED_KEYS_PER_MINUTE", "3")]).await;
        let (id, key) = opened(&crm).await;
        for _ in 0..3 {
            assert_eq!(open(&crm, "x.y").await.status, 403);
        }
        let slowed = open(&crm, "x.y").await;
        assert!(slowed.status == 429 && !slowed.header("retry-after").is_empty(), "{}", slowed.text);
        let right = signed(&crm, &key, &id, crm.town.clock.now().seconds() + 60);
        assert_eq!(open(&crm, &right).await.status, 200);
    }
}
