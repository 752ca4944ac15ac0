//! Random secrets for throw-away and demo installations.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

const WORDS: [&str; 64] = [
    "acorn", "amber", "anchor", "apron", "badge", "basil", "beacon", "birch", "bottle", "bridge", "button",
    "cabin", "candle", "canoe", "carbon", "cedar", "cherry", "cobalt", "copper", "coral", "cotton", "cradle",
    "dahlia", "desert", "ember", "falcon", "fennel", "ferry", "flint", "garden", "ginger", "glacier",
    "harbour", "hazel", "island", "ivory", "jasmine", "kettle", "ladder", "lagoon", "lantern", "linen",
    "maple", "marble", "meadow", "mirror", "nutmeg", "orchid", "oyster", "paddle", "pebble", "pepper",
    "quartz", "river", "saddle", "saffron", "silver", "spruce", "thistle", "timber", "tulip", "velvet",
    "walnut", "willow",
];

/// This many random bytes, as hexadecimal text.
pub(crate) fn hex(bytes: usize) -> Result<String> {
    Ok(random(bytes)?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A password that can be typed: three words and four digits.
pub(crate) fn passphrase() -> Result<String> {
    let random = random(5)?;
    let [first, second, third, high, low] = random.as_slice() else { anyhow::bail!("too little randomness") };
    let word = |byte: &u8| WORDS[usize::from(*byte) % WORDS.len()];
    let number = u16::from_be_bytes([*high, *low]) % 10_000;
    Ok(format!("{}-{}-{}-{number:04}", word(first), word(second), word(third)))
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    let open = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(file);
    open.and_then(|mut file| file.write_all(content))
        .with_context(|| format!("can't write {}", file.display()))
}

fn random(bytes: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer)
}
