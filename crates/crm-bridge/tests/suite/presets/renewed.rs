//! A CRM that ends the subscription to its webhooks after a day, and the bridge that renews it in time.

use crm_bridge::app::sync::Sync;
use crm_bridge::app::sync::renew::{Renewed, Subscription, renew_when_due};
use crm_bridge::connector::trouble::Trouble;
use crm_bridge::other_way;
use crm_bridge::store::sync::Feed;
use crm_fakes::switch::Fault;
use crm_fakes::zoho::{Channel, Zoho};
use db_kit::testing::block_on;

use super::aid::altered;
use super::kit::Preset;
use super::outward::{Outward, RECEIVER};
use super::zoho;

const CHANNEL: &str = "1000000068001";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A bridge at the CRM in which somebody has just subscribed for a day.
struct Subscribed {
    desk: Outward<Zoho>,
    subscription: Subscription,
}

impl Subscribed {
    async fn new(preset: Preset<Zoho>) -> Self {
        let desk = Outward::set(preset, Some(&Zoho::default().channel_token)).await;
        let config = &desk.stage.town.config;
        let subscription = other_way::subscription(config, &config.profile().unwrap()).unwrap();
        let town = Self { desk, subscription };
        town.subscribe();
        town
    }

    fn subscribe(&self) {
        let crm = &self.desk.stage.crm;
        crm.crm.subscribe(CHANNEL, crm.world().now() + jiff::SignedDuration::from_hours(24));
    }

    fn channel(&self) -> Option<Channel> {
        self.desk.stage.crm.crm.channel(self.desk.stage.crm.world())
    }

    async fn renew(&self) -> Renewed {
        renew_when_due(&self.desk.stage.town.bridge, &self.subscription).await.unwrap()
    }

    /// The bridge looks every minute for so long; how often it asked, and how often in vain.
    async fn live_for(&self, ms: i64) -> (u32, u32) {
        let (mut asked, mut in_vain) = (0, 0);
        for _ in 0..ms / 60_000 {
            self.desk.stage.town.clock.advance_ms(60_000);
            match self.renew().await {
                Renewed::Until(_) => asked += 1,
                Renewed::Failed(_) => (asked, in_vain) = (asked + 1, in_vain + 1),
                Renewed::NotDue | Renewed::Elsewhere => {}
            }
        }
        (asked, in_vain)
    }

    async fn noted(&self) -> Feed {
        let sync = self.desk.stage.town.bridge.sync.as_ref().unwrap();
        sync.store.feed("webhook").await.unwrap().unwrap()
    }

    fn troubled_s(&self) -> i64 {
        let metrics = self.desk.stage.town.metrics.to_text().unwrap();
        let line = metrics.lines().find(|line| line.contains("follow_trouble_seconds{feed=\"webhook\"}"));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{metrics}"))
    }
}

#[test]
fn a_channel_of_zoho_lives_on_with_address_and_token_while_the_bridge_runs_and_ends_without() {
    block_on(async {
        let town = Subscribed::new(zoho::preset(Zoho::default())).await;
        assert!(matches!(town.renew().await, Renewed::Until(_)), "at the start nobody knows how long it has");
        let (asked, in_vain) = town.live_for(3 * DAY_MS).await;
        assert_eq!((asked, in_vain), (12, 0), "every six hours");
        let channel = town.channel().expect("it has ended");
        assert_eq!((channel.notify_url.as_str(), channel.token), (RECEIVER, Zoho::default().channel_token));
        assert_eq!((channel.updates, town.troubled_s()), (13, 0));
        let left = town.noted().await.since.unwrap().since_ms(town.desk.stage.town.clock.now());
        assert!((17 * HOUR_MS..DAY_MS).contains(&left), "{left} ms left");
        // Nobody renews it: it ends, as the facts say.
        town.desk.stage.town.clock.advance_ms(DAY_MS);
        assert!(town.channel().is_none());
    });
}

#[test]
fn whoever_asks_zoho_for_too_long_gets_an_hour_and_comes_back_in_time() {
    block_on(async {
        let mut preset = zoho::preset(Zoho::default());
        preset.name = altered(
            "zoho",
            &[("\"https://accounts.zoho.{data_center}/", "\"/"), ("lasts_s = 86000", "lasts_s = 604800")],
        );
        let town = Subscribed::new(preset).await;
        let (asked, in_vain) = town.live_for(6 * HOUR_MS).await;
        assert!(town.channel().is_some() && in_vain == 0 && (11..=13).contains(&asked), "{asked}, {in_vain}");
    });
}

#[test]
fn a_renewal_that_is_refused_is_told_and_tried_again_ever_more_rarely_until_it_is_taken() {
    block_on(async {
        let town = Subscribed::new(zoho::preset(Zoho::default())).await;
        assert!(matches!(town.renew().await, Renewed::Until(_)));
        let switch = town.desk.stage.crm.switch();
        switch.always(Fault::ServerError);
        let (asked, in_vain) = town.live_for(12 * HOUR_MS).await;
        assert!(
            asked == in_vain && (8..=24).contains(&asked),
            "{asked} attempts in six hours, {in_vain} in vain"
        );
        let noted = town.noted().await;
        assert_eq!((noted.trouble.as_deref(), noted.pass), (Some("server_error"), i64::from(in_vain)));
        assert!(noted.since.unwrap() > town.desk.stage.town.clock.now(), "it has not run out yet");
        assert!(town.troubled_s() > 5 * 3_600);
        switch.off(Fault::ServerError);
        let (_, still_in_vain) = town.live_for(2 * HOUR_MS).await;
        let noted = town.noted().await;
        assert_eq!((still_in_vain, noted.trouble, noted.pass, town.troubled_s()), (0, None, 0, 0));
        assert!(town.channel().is_some());

        // The bridge was away for two days: the channel has ended, the CRM says no in an answer of 202.
        town.desk.stage.town.clock.advance_ms(2 * DAY_MS);
        assert_eq!(town.renew().await, Renewed::Failed(Trouble::ErrorInside));
        assert!(town.noted().await.since.unwrap() < town.desk.stage.town.clock.now());
        // Somebody subscribes again, with the same id.
        town.subscribe();
        town.live_for(HOUR_MS).await;
        assert_eq!(town.noted().await.trouble, None);
        let (matched, script) = (town.desk.stage.crm.person(3), &town.desk.script);
        town.desk.stage.matched(1, matched.email()).await;
        town.desk.stage.nothing_came_through(script).await;
    });
}

#[test]
fn of_two_bridges_one_renews_and_a_new_address_is_told_at_once() {
    block_on(async {
        let town = Subscribed::new(zoho::preset(Zoho::default())).await;
        let node = |holder: &str| {
            let mut bridge = town.desk.stage.town.bridge.clone();
            let sync = bridge.sync.take().unwrap();
            bridge.sync = Some(Sync::new(sync.store, sync.settings, holder.to_owned()));
            bridge
        };
        let (one, other) = (node("one"), node("other"));
        let (one_did, other_did) = tokio::join!(
            renew_when_due(&one, &town.subscription),
            renew_when_due(&other, &town.subscription)
        );
        let did = [one_did.unwrap(), other_did.unwrap()];
        assert_eq!(did.iter().filter(|did| matches!(did, Renewed::Until(_))).count(), 1, "{did:?}");
        assert_eq!(town.channel().unwrap().updates, 1);
        assert_eq!(renew_when_due(&other, &town.subscription).await.unwrap(), Renewed::NotDue);
        let moved = Subscription::new("https://new.example/hooks/x".to_owned().into());
        assert!(matches!(renew_when_due(&other, &moved).await.unwrap(), Renewed::Until(_)));
        assert_eq!(town.channel().unwrap().notify_url, "https://new.example/hooks/x");
    });
}
