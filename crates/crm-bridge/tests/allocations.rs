//! How much is built of an answer: little more than what is taken of it.

use crm_bridge::connector::profile::Profile;
use crm_bridge::connector::projection::{KeyWatch, Limits, Plan, RawAnswer, read_list};
use crm_bridge::policy::lexicon::Lexicon;
use crm_bridge::policy::load::load;
use crm_bridge::walls::Walls;

#[path = "../benches/page/mod.rs"]
mod page;

#[test]
fn of_a_page_only_the_wanted_values_are_built() {
    let bytes = page::page();
    let profile = Profile::load(page::PROFILE).unwrap();
    let limits = Limits { answer_bytes_max: 1 << 20, depth_max: 32, records_max: 1_000 };
    let plan = Plan::compile(&load(page::POLICY).unwrap(), &profile, limits);
    let shape = profile.shape(&profile.person.page);
    let watch = KeyWatch::new(Lexicon::with(&[]).unwrap());
    let mut answer = RawAnswer::with_room(bytes.len());
    assert!(answer.push(&bytes, limits.answer_bytes_max));
    let read = || read_list(&answer, &plan, &shape, &watch, Walls::standing()).unwrap();

    // The first page judges the names of members; after that they are known.
    assert_eq!(read().records.len(), page::RECORDS);
    let tree =
        allocation_counter::measure(|| drop(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()));
    let policy = allocation_counter::measure(|| drop(read()));
    println!("tree: {tree:?}\nby policy: {policy:?}");

    // Of each record: its id and the three lists of what was taken; beyond that what the whole page needs, the room for its
    // texts included.
    let records = u64::try_from(page::RECORDS).unwrap();
    assert!(policy.count_total <= records * 5, "{policy:?}");
    assert!(policy.count_total * 7 < tree.count_total, "{policy:?} {tree:?}");
    assert!(policy.bytes_max * 5 < tree.bytes_max, "{policy:?} {tree:?}");
    assert_eq!(policy.count_current, 0, "nothing stays");
}
