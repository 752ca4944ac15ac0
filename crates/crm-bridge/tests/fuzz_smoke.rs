//! Drives what the fuzzers drive, on any compiler and for a bounded time: seeds, and seeds that are cut, flipped, doubled
//! and spliced. `GUICHET_FUZZ_ROUNDS=100000 cargo nextest run -p crm-bridge --test fuzz_smoke` goes on for longer.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::path::Path;

use crm_bridge::connector::fuzzing;
use crm_bridge::connector::profile::BUILT_IN;

/// Pieces that mean something to one of the parsers.
const PIECES: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b":",
    b",",
    b"null",
    b"false",
    b"-1",
    b"1e400",
    b"1.5",
    b"\"id\":",
    b"\"items\":[",
    b"\"__class__\":\"datetime\"",
    b"{value}",
    b"{select:comma}",
    b"{secret}",
    b"{id:sql}",
    b"'",
    b"\xff",
    b"\xf0\x9f\x98\x80",
    b"\n[person]\n",
    b"= { each = \"/x\", take = \"/y\" }",
    b"\"\"\"",
    b"/../",
    b"\0",
];

/// Numbers that are the same in every run (xorshift), so that what fails fails again.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there are seeds for {target}");
    let mut seeds: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    match target {
        "profile" => seeds.extend(BUILT_IN.iter().map(|(_, text)| text.as_bytes().to_vec())),
        "policy" => seeds.push(include_bytes!("../../../config/field-policy.toml").to_vec()),
        _ => {}
    }
    seeds
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], draw: &mut Draw) {
    for _ in 0..=draw.below(4) {
        let at = draw.below(bytes.len() + 1);
        let end = (at + draw.below(20)).min(bytes.len());
        match draw.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << draw.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.truncate(at),
            3 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part.repeat(1 + draw.below(8)));
            }
            4 => {
                let from = draw.below(other.len());
                let part = other[from..(from + 40).min(other.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => drop(bytes.splice(at..at, PIECES[draw.below(PIECES.len())].iter().copied())),
        }
    }
}

fn drive(target: &str, rounds: usize, run: fn(&[u8])) {
    let rounds = std::env::var_os("GUICHET_FUZZ_ROUNDS")
        .map_or(rounds, |rounds| rounds.to_str().and_then(|rounds| rounds.parse().ok()).unwrap());
    let seeds = seeds(target);
    seeds.iter().for_each(|seed| run(seed));
    let mut draw = Draw(0x9E37_79B9_7F4A_7C15);
    for _ in 0..rounds {
        let mut bytes = seeds[draw.below(seeds.len())].clone();
        mutate(&mut bytes, &seeds[draw.below(seeds.len())], &mut draw);
        // The profile that the first byte chooses is any of them.
        if matches!(target, "answer" | "template" | "webhook") && !bytes.is_empty() {
            bytes[0] = u8::try_from(draw.below(BUILT_IN.len())).unwrap();
        }
        run(&bytes);
    }
}

#[test]
fn every_profile_that_ships_can_be_fuzzed() {
    assert_eq!(fuzzing::connections(), BUILT_IN.len());
}

#[test]
fn answers() {
    drive("answer", 3_000, fuzzing::answer);
}

#[test]
fn profiles() {
    drive("profile", 150, fuzzing::profile);
}

#[test]
fn policies() {
    drive("policy", 300, fuzzing::policy);
}

#[test]
fn templates() {
    drive("template", 2_000, fuzzing::template);
}

#[test]
fn webhooks() {
    drive("webhook", 1_000, fuzzing::webhook);
}
