//! Whatever is done to a log is found, and erasing a person is not something that is done to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use audit_chain::{
    Anchor, AuditKey, COUNTERSIGNED, Details, Digest, Entry, Head, Link, Report, Salt, Seal, Seen,
    SignedHead, StoredLink, Verdict, Verifier, export,
};
use proptest::prelude::*;

type Row = (Entry, StoredLink);

fn key() -> AuditKey {
    static KEY: std::sync::OnceLock<AuditKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| AuditKey::from_seed(&[1; 32]).unwrap()).clone()
}

fn genesis() -> Link {
    Link::genesis("crm-bridge", "chn_1")
}

fn entry() -> impl Strategy<Value = Entry> {
    let customer = prop::option::of(("cus_[a-f]{4}", any::<[u8; 16]>()));
    (
        "[a-z_0-9]{1,8}",
        "[a-z.]{1,12}",
        prop::option::of(any::<i64>()),
        customer,
        "[a-z= ]{0,20}",
        any::<i64>(),
    )
        .prop_map(|(actor, action, ticket, customer, details, at_ms)| Entry {
            seq: 0,
            at_ms,
            actor,
            action,
            ticket,
            customer: customer.map(|(value, salt)| Seal::new(value, Salt(salt))),
            details: Details::stored(details),
            policy: None,
            request_id: "req_1".into(),
        })
}

/// Entries in a chain made with that key.
fn chained(entries: Vec<Entry>, key: &AuditKey) -> Vec<Row> {
    let mut at = genesis();
    let rows = entries.into_iter().map(|mut entry| {
        entry.seq = at.seq + 1;
        at = key.link(&at, &entry);
        (entry, StoredLink { hash: at.hash, mac: Some(at.mac) })
    });
    rows.collect()
}

fn log() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(entry(), 2..20).prop_map(|entries| chained(entries, &key()))
}

fn end(rows: &[Row]) -> Link {
    let (entry, link) = rows.last().unwrap();
    Link { seq: entry.seq, hash: link.hash, mac: link.mac.unwrap() }
}

fn verify(rows: &[Row], anchors: &[Anchor], noted: Option<Link>) -> Report {
    let key = key();
    let mut verifier = Verifier::new(genesis(), Some(&key));
    anchors.iter().for_each(|anchor| verifier.expect(*anchor));
    rows.iter().for_each(|(entry, link)| verifier.take(entry, *link));
    verifier.finish(noted)
}

fn anchor(rows: &[Row], at: usize) -> Anchor {
    Anchor { seq: rows[at].0.seq, hash: rows[at].1.hash }
}

fn erase(rows: &mut [Row], whom: &str) -> u64 {
    let mut count = 0;
    for (entry, _) in rows {
        let hit = |seal: &&mut Seal| seal.opening.as_ref().is_some_and(|opening| opening.value == whom);
        if let Some(seal) = entry.customer.as_mut().filter(hit) {
            *seal = seal.erased();
            count += 1;
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_log_that_nobody_touched_is_unaltered_and_complete(rows in log(), at in any::<prop::sample::Index>()) {
        let report = verify(&rows, &[anchor(&rows, at.index(rows.len()))], Some(end(&rows)));
        prop_assert_eq!((&report.unaltered, &report.complete), (&Verdict::Yes, &Verdict::Yes));
        prop_assert_eq!(report.entries, rows.len() as u64);
        let alone = verify(&rows, &[], None);
        prop_assert!(matches!(alone.complete, Verdict::Unproven(_)) && alone.passes());
    }

    #[test]
    fn every_change_of_a_member_is_found_at_its_entry(rows in log(), at in any::<prop::sample::Index>(), what in 0..10u8) {
        let mut rows = rows;
        let at = at.index(rows.len());
        let (entry, link) = &mut rows[at];
        match what {
            0 => entry.at_ms ^= 1,
            1 => entry.actor.push('x'),
            2 => entry.action.push('x'),
            3 => entry.ticket = Some(entry.ticket.map_or(0, |ticket| ticket ^ 1)),
            4 => entry.customer = match entry.customer { Some(_) => None, None => Some(Seal::new("cus_x", Salt([0; 16]))) },
            5 => entry.details = Details::stored(format!("{} x=y", entry.details.as_str())),
            6 => entry.policy = Some("x".into()),
            7 => entry.request_id.push('x'),
            8 => link.hash.0[0] ^= 1,
            _ => link.mac.as_mut().unwrap().0[31] ^= 1,
        }
        let seq = rows[at].0.seq;
        let report = verify(&rows, &[], None);
        prop_assert!(matches!(report.unaltered, Verdict::No(fault) if fault.seq == seq), "{:?}", report.unaltered);
    }

    #[test]
    fn a_text_that_moves_to_the_next_member_is_found(rows in log(), at in any::<prop::sample::Index>()) {
        let mut rows = rows;
        let at = at.index(rows.len());
        let entry = &mut rows[at].0;
        let last = entry.actor.pop().unwrap();
        entry.action.insert(0, last);
        prop_assert!(verify(&rows, &[], None).unaltered.is_no());
    }

    #[test]
    fn another_customer_under_an_old_commitment_is_found(rows in log()) {
        let mut rows = rows;
        let Some((entry, _)) = rows.iter_mut().find(|(entry, _)| entry.customer.is_some()) else { return Ok(()) };
        let (seq, seal) = (entry.seq, entry.customer.as_mut().unwrap());
        seal.opening.as_mut().unwrap().value.push('x');
        let report = verify(&rows, &[], None);
        prop_assert!(matches!(report.unaltered, Verdict::No(fault) if fault.seq == seq));
    }

    #[test]
    fn swapping_removing_inserting_and_renumbering_are_found(
        rows in log(), one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), what in 0..5u8,
    ) {
        let (one, other) = (one.index(rows.len()), other.index(rows.len()));
        let mut tampered = rows.clone();
        match what {
            0 => tampered.swap(one, other),
            1 => { let row = tampered.remove(one); tampered.insert(other, row); }
            2 => { tampered.remove(one); }
            3 => { let row = tampered[one].clone(); tampered.insert(other, row); }
            // The numbers stay in order, only the contents change places.
            _ => { let (a, b) = (tampered[one].0.seq, tampered[other].0.seq); tampered.swap(one, other);
                   tampered[one].0.seq = a; tampered[other].0.seq = b; }
        }
        prop_assume!(tampered != rows);
        let report = verify(&tampered, &[], Some(end(&rows)));
        prop_assert!(!report.passes(), "{report:?}");
        // Taking away the end is the one thing that only the note of the end or the other service can know.
        let is_cut = what == 2 && one == rows.len() - 1;
        prop_assert_eq!(report.unaltered.is_no(), !is_cut);
        prop_assert!(!is_cut || report.complete.is_no());
    }

    #[test]
    fn cutting_the_end_off_is_found_by_the_head_that_the_other_service_has(rows in log(), cut in any::<prop::sample::Index>()) {
        let keep = 1 + cut.index(rows.len() - 1);
        let cut = &rows[..keep];
        let report = verify(cut, &[anchor(&rows, rows.len() - 1)], Some(end(cut)));
        prop_assert_eq!(&report.unaltered, &Verdict::Yes);
        prop_assert!(matches!(report.complete, Verdict::No(fault) if fault.seq == rows.len() as i64), "{:?}", report.complete);
    }

    #[test]
    fn writing_anew_without_the_key_is_found_from_the_first_entry_on(rows in log(), at in any::<prop::sample::Index>()) {
        let at = at.index(rows.len());
        let mut entries: Vec<Entry> = rows.iter().map(|(entry, _)| entry.clone()).collect();
        entries[at].actor.push('x');
        // The forger knows everything but the key; the entries before the change keep what they have.
        let mut forged = chained(entries, &AuditKey::from_seed(&[9; 32]).unwrap());
        forged[..at].clone_from_slice(&rows[..at]);
        let report = verify(&forged, &[], None);
        prop_assert!(matches!(report.unaltered, Verdict::No(fault) if fault.seq == at as i64 + 1), "{:?}", report.unaltered);
    }

    #[test]
    fn writing_anew_with_the_key_is_found_by_the_head_that_the_other_service_has(
        rows in log(), at in any::<prop::sample::Index>(), seen in any::<prop::sample::Index>(),
    ) {
        let (at, seen) = (at.index(rows.len()), seen.index(rows.len()));
        let mut entries: Vec<Entry> = rows.iter().map(|(entry, _)| entry.clone()).collect();
        entries[at].actor.push('x');
        let forged = chained(entries, &key());
        let report = verify(&forged, &[anchor(&rows, seen)], Some(end(&forged)));
        prop_assert_eq!(&report.unaltered, &Verdict::Yes, "it is a perfect chain");
        // What comes after the countersigned place can't be told apart.
        prop_assert_eq!(report.complete.is_no(), seen >= at);
    }

    #[test]
    fn erasing_anybody_keeps_everything_valid(rows in log(), whom in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        let mut rows = rows;
        let (anchors, noted) = ([anchor(&rows, rows.len() - 1)], end(&rows));
        let names: Vec<String> = rows.iter().filter_map(|(entry, _)| Some(entry.customer.as_ref()?.opening.as_ref()?.value.clone())).collect();
        let mut erased = 0;
        for whom in whom {
            if !names.is_empty() {
                erased += erase(&mut rows, &names[whom.index(names.len())]);
            }
        }
        let report = verify(&rows, &anchors, Some(noted));
        prop_assert_eq!((&report.unaltered, &report.complete, report.erased), (&Verdict::Yes, &Verdict::Yes, erased));
        let text = format!("{rows:?}");
        prop_assert!(!text.contains("cus_"), "a debug print shows no reference");
    }

}

proptest! {
    // Signatures take their time in a build that is not optimised.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_export_is_checked_without_a_key_and_every_changed_letter_is_found(
        rows in log(), line in any::<prop::sample::Index>(), letter in any::<prop::sample::Index>(),
    ) {
        let lines = exported(&rows, 1);
        let read = |lines: &[String]| {
            let overview = export::overview(lines.iter().cloned())?;
            export::check(lines.iter().cloned(), &overview, None, export::Pins { own: Some(key().public()), other: None })
        };
        let report = read(&lines).unwrap();
        prop_assert!(report.passes() && report.entries == rows.len() as u64, "{report:?}");
        let mut changed = lines.clone();
        let line = line.index(changed.len());
        let place = letter.index(changed[line].len());
        let old = changed[line].as_bytes()[place];
        let new = if old == b'7' { '8' } else { '7' };
        changed[line].replace_range(place..=place, &new.to_string());
        let same = serde_json::from_str::<serde_json::Value>(&changed[line]).ok()
            == serde_json::from_str::<serde_json::Value>(&lines[line]).ok();
        prop_assert!(same || read(&changed).map_or(true, |report| !report.passes()), "{} {}", lines[line], changed[line]);
        let mut short = lines.clone();
        short.remove(line);
        prop_assert!(read(&short).map_or(true, |report| !report.passes()), "a line is gone");
    }
}

fn place(rows: &[Row]) -> Seen {
    let end = end(rows);
    Seen { chain: "chn_1".into(), seq: end.seq, hash: end.hash }
}

fn exported(rows: &[Row], first: usize) -> Vec<String> {
    let key = key();
    let head = Head { service: "crm-bridge".into(), place: place(rows), at_ms: 9, seen: None }.sign(&key);
    let part = &rows[first - 1..];
    let before = if first == 1 { genesis().hash } else { rows[first - 2].1.hash };
    let manifest = export::Manifest {
        format: export::FORMAT.into(),
        service: "crm-bridge".into(),
        chain: "chn_1".into(),
        before,
        first: first as i64,
        last: end(rows).seq,
        entries: part.len() as u64,
        erased: 0,
        head,
        other: None,
        key: key.public(),
        other_key: None,
    };
    let entries = part.iter().map(|(entry, link)| export::entry_line(entry, link.hash).unwrap());
    entries.chain(export::closing_lines(manifest, &key).unwrap()).collect()
}

fn plain(seq: i64) -> Entry {
    Entry {
        seq,
        at_ms: seq,
        actor: "system".into(),
        action: "test.done".into(),
        ticket: None,
        customer: None,
        details: Details::new(),
        policy: None,
        request_id: String::new(),
    }
}

/// The other service has seen all of `rows` and says so.
fn countersigned(rows: &[Row], other: &AuditKey) -> SignedHead {
    let place_of_other = Seen { chain: "chn_2".into(), seq: 4, hash: Digest([4; 32]) };
    Head { service: "ticket-service".into(), place: place_of_other, at_ms: 1, seen: Some(place(rows)) }
        .sign(other)
}

#[test]
fn an_export_that_was_written_anew_with_the_key_is_found_by_the_countersignature_in_it() {
    let (key, other) = (key(), AuditKey::from_seed(&[2; 32]).unwrap());
    let first = chained((1..=5).map(plain).collect(), &key);
    let head = countersigned(&first, &other);
    let with_head = |mut entries: Vec<Entry>| {
        entries.push(Entry { action: COUNTERSIGNED.into(), details: head.to_details(), ..plain(6) });
        chained(entries, &key)
    };
    let pins = export::Pins { own: Some(key.public()), other: Some(other.public()) };
    let check = |rows: &[Row], first| {
        let lines = exported(rows, first);
        let overview = export::overview(lines.iter().cloned()).unwrap();
        export::check(lines.into_iter(), &overview, None, pins).unwrap()
    };
    let right = with_head((1..=5).map(plain).collect());
    assert_eq!(check(&right, 1).complete, Verdict::Yes);
    assert_eq!(check(&right, 3).countersigned, Some(5), "a stretch of it is anchored, too");
    let mut entries: Vec<Entry> = (1..=5).map(plain).collect();
    entries[2].actor = "nobody".into();
    let report = check(&with_head(entries), 1);
    assert_eq!(report.unaltered, Verdict::Yes);
    assert!(report.complete.is_no(), "{report:?}");
}

#[test]
fn a_head_of_a_stranger_is_no_countersignature() {
    let (key, stranger) = (key(), AuditKey::from_seed(&[3; 32]).unwrap());
    let first = chained((1..=2).map(plain).collect(), &key);
    let head = countersigned(&first, &stranger);
    let mut entries: Vec<Entry> = (1..=2).map(plain).collect();
    entries.push(Entry { action: COUNTERSIGNED.into(), details: head.to_details(), ..plain(3) });
    let rows = chained(entries, &key);
    let mut verifier = Verifier::new(genesis(), Some(&key));
    verifier.other_key(Some(AuditKey::from_seed(&[2; 32]).unwrap().public()));
    rows.iter().for_each(|(entry, link)| verifier.take(entry, *link));
    assert!(matches!(verifier.finish(None).unaltered, Verdict::No(fault) if fault.seq == 3));
}
