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

macro_rules! walls {
    ($($wall:ident $down:ident $holds:ident $falls:ident),+ $(,)?) => {$(
        #[test]
        fn $holds() {
            block_on($wall::wall_holds(Down::None)).unwrap();
        }

        #[cfg(feature = "sabotage")]
        #[test]
        fn $falls() {
            let noticed = block_on($wall::wall_holds(Down::$down));
            let Err(fault) = noticed else { panic!("the wall is gone and its check has not noticed") };
            println!("noticed: {fault}");
        }
    )+};
}

walls! {
    ask Ask only_listed_fields_of_enumerated_endpoints_are_asked_for without_the_wall_ask_its_check_goes_red,
    parse Parse what_is_not_listed_never_becomes_a_value without_the_wall_parse_its_check_goes_red,
    r#type Type what_does_not_fit_its_type_is_withheld without_the_wall_type_its_check_goes_red,
    who Who each_role_sees_its_own_view_of_its_own_tickets without_the_wall_who_its_check_goes_red,
    keep Keep what_is_kept_can_not_be_read_and_goes_with_the_customer without_the_wall_keep_its_check_goes_red,
}

/// Says what is wrong unless it is right.
fn ensure(right: bool, wrong: impl Into<String>) -> Result<(), String> {
    if right { Ok(()) } else { Err(wrong.into()) }
}
