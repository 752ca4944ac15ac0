//! What the listener says about itself.

use serde_json::Value;

use crate::support::{Town, answer_of, sandbox};

async fn get(town: &Town, path: &str) -> (u16, Value) {
    answer_of(town.http.get(format!("{}{path}", town.url)).send().await.unwrap()).await
}

#[test]
fn health_metrics_and_the_description_are_on_the_same_listener() {
    db_kit::testing::block_on(async {
        let (url, crm) = sandbox();
        let town = Town::on_sqlite(&url, &[]).await;
        assert_eq!(get(&town, "/health/live").await.0, 200);
        let (status, ready) = get(&town, "/health/ready").await;
        assert_eq!(
            (status, ready["database"].as_str(), ready["crm"].as_str()),
            (200, Some("ok"), Some("asked"))
        );
        crm.stop(false).await;
        assert_eq!(get(&town, "/health/ready").await.0, 200, "without the CRM the bridge still answers");
        assert!(get(&town, "/metrics").await.1.as_str().unwrap().contains("guichet_bridge_http_requests"));
        let (status, document) = get(&town, "/api/openapi.json").await;
        assert_eq!((status, document["openapi"].as_str()), (200, Some("3.1.0")));
        assert_eq!(document, serde_json::to_value(crm_bridge::http::openapi()).unwrap());
        let (status, page) = get(&town, "/api/docs/").await;
        assert!(status == 200 && page.as_str().unwrap().contains("swagger-ui"));
        let (status, problem) = get(&town, "/v1/customers").await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (404, Some("not_found")),
            "there is no list of customers"
        );
    });
}

#[test]
fn no_answer_is_stored_by_a_browser_or_proxy() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let town = Town::on_sqlite(&url, &[]).await;
        let answer = town.http.post(format!("{}/v1/card", town.url)).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(answer.headers().contains_key("x-request-id"));
    });
}
