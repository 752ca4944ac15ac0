//! How fast an answer is read, on the same bytes: into a tree of everything, into a struct made for these very
//! members, and as the policy says.
//!
//! `cargo bench -p crm-bridge --bench parse -- --quick`

#![expect(clippy::unwrap_used, reason = "a bench may stop")]

#[path = "page/mod.rs"]
mod page;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crm_bridge::connector::profile::Profile;
use crm_bridge::connector::projection::{KeyWatch, Limits, Plan, RawAnswer, read_list};
use crm_bridge::policy::lexicon::Lexicon;
use crm_bridge::policy::load::load;
use crm_bridge::walls::Walls;
use serde::Deserialize;

#[derive(Deserialize)]
struct Page {
    items: Vec<Contact>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Contact {
    id: String,
    full_name: String,
    email: String,
    phone: String,
    city: String,
    language: String,
    service_level: String,
    updated_at: String,
}

fn parse(criterion: &mut Criterion) {
    let bytes = page::page();
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Bytes(u64::try_from(bytes.len()).unwrap()));

    group.bench_function("value", |bench| {
        bench.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(&bytes)).unwrap());
    });
    group.bench_function("typed", |bench| {
        bench.iter(|| {
            let page: Page = serde_json::from_slice(black_box(&bytes)).unwrap();
            let last = page.items.last().unwrap();
            black_box((&last.id, &last.full_name, &last.email, &last.phone, &last.city, &last.language));
            black_box((&last.service_level, &last.updated_at, &page.next_cursor));
            page
        });
    });

    let profile = Profile::load(page::PROFILE).unwrap();
    let limits = Limits { answer_bytes_max: 1 << 20, depth_max: 32, records_max: 1_000 };
    let plan = Plan::compile(&load(page::POLICY).unwrap(), &profile, limits);
    let shape = profile.shape(&profile.person.page);
    let watch = KeyWatch::new(Lexicon::with(&profile.deny.words).unwrap());
    let mut answer = RawAnswer::with_room(bytes.len());
    assert!(answer.push(&bytes, limits.answer_bytes_max));
    group.bench_function("by policy", |bench| {
        bench.iter(|| {
            let records =
                read_list(black_box(&answer), &plan, &shape, &watch, Walls::standing()).unwrap().records;
            assert_eq!(records.len(), page::RECORDS);
            records
        });
    });
    group.bench_function("receive and wipe", |bench| {
        bench.iter(|| {
            let mut answer = RawAnswer::with_room(1 << 16);
            for chunk in bytes.chunks(1 << 14) {
                assert!(answer.push(chunk, limits.answer_bytes_max));
            }
            answer
        });
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
