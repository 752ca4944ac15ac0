//! Each of the five walls (DESIGN §3) has its own check, which says whether the wall holds. Every build sees that all
//! hold; a build with the feature `sabotage` takes each away and sees that its check goes red:
//!
//! `cargo nextest run -p crm-bridge --features sabotage walls`

mod ask;
mod keep;
mod parse;
mod r#type;
mod who;

use db_kit::testing::block_on;

use crate::support::Down;
#[cfg(feature = "sabotage")]
use crm_bridge::walls::Wall;

macro_rules! walls {
    ($([$($down:ident),+] $wall:ident :: $check:ident $holds:ident $falls:ident),+ $(,)?) => {$(
        #[test]
        fn $holds() {
            block_on($wall::$check(Down::None)).unwrap();
        }

        #[cfg(feature = "sabotage")]
        #[test]
        fn $falls() {
            let noticed = block_on($wall::$check(Down::Walls(&[$(Wall::$down),+])));
            let Err(fault) = noticed else { panic!("the wall is gone and its check has not noticed") };
            println!("noticed: {fault}");
        }
    )+};
}

walls! {
    [Ask] ask::selection only_listed_fields_of_enumerated_endpoints_are_asked_for without_ask_the_selection_goes_red,
    [Redirect, Hosts] ask::redirects no_redirect_is_followed_to_another_host without_ask_the_redirect_goes_red,
    [Parse, Exit] parse::card what_is_not_listed_never_becomes_a_value without_parse_the_card_goes_red,
    [Parse] parse::memory_of_the_crm what_is_not_listed_is_not_kept without_parse_the_cache_goes_red,
    [Type, Tripwire, Exit] r#type::misfits what_does_not_fit_its_type_is_withheld without_type_the_misfits_go_red,
    [View, Exit] who::views each_role_sees_its_own_view without_who_the_views_go_red,
    [Link] who::tickets a_customer_is_shown_for_its_own_tickets_only without_who_the_tickets_go_red,
    [Grant, Link] who::grants a_grant_for_one_customer_shows_no_other without_who_the_grants_go_red,
    [Budget] who::budgets nobody_walks_through_the_customers without_who_the_budgets_go_red,
    [Seal, Unsealed] keep::sealing what_is_kept_can_not_be_read without_keep_the_sealing_goes_red,
    [Erase] keep::erasure what_is_kept_goes_with_the_customer without_keep_the_erasure_goes_red,
    [Age, Sweep] keep::age what_is_kept_goes_with_its_age without_keep_the_age_goes_red,
}

/// Says what is wrong unless it is right.
fn ensure(right: bool, wrong: impl Into<String>) -> Result<(), String> {
    if right { Ok(()) } else { Err(wrong.into()) }
}
