//! Keys, tokens and hashes of passwords.

/// Three base64url parts of which the first begins as every JOSE header does: `{"` in base64url is `eyJ`.
pub(super) fn has_web_token(text: &str) -> bool {
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.split(|c: char| !is_token_char(c)).any(|word| {
        let mut parts = word.split('.');
        let (header, payload) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        header.starts_with("eyJ") && payload.starts_with("eyJ") && parts.next().is_some()
    })
}

/// As long as an MD5 hash.
pub(super) const HEX_CHARS_MIN: usize = 32;

pub(super) fn has_hex_key(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit())
        .any(|run| run.len() >= HEX_CHARS_MIN && !run.bytes().all(|byte| byte.is_ascii_digit()))
}

/// As long as 30 random bytes in base64.
const BASE64_CHARS_MIN: usize = 40;

/// What keys of well-known makers and hashes of passwords begin with.
const BEGINNINGS: &[&str] = &[
    "$2a$",
    "$2b$",
    "$2y$",
    "$argon2",
    "$scrypt",
    "$pbkdf2",
    "$apr1$",
    "$5$",
    "$6$",
    "$P$B",
    "pbkdf2_",
    "{SSHA",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "SG.",
    "shpat_",
    "whsec_",
    "-----BEGIN",
];
/// As long as `-----BEGIN`, the shortest of which nothing more is wanted.
pub(super) const PIECE_MIN: usize = 10;
/// A beginning alone is a word; a key goes on.
const AFTER_BEGINNING_MIN: usize = 12;

/// Whether there is a long mixture of capital, small letters and digits in one piece, or a piece with a known beginning.
pub(super) fn has_key(text: &str) -> bool {
    let known = |word: &str| {
        word.len() >= PIECE_MIN
            && may_begin(word)
            && BEGINNINGS.iter().any(|beginning| {
                word.strip_prefix(beginning)
                    .is_some_and(|rest| rest.len() >= AFTER_BEGINNING_MIN || *beginning == "-----BEGIN")
            })
    };
    text.split_whitespace().any(known)
        || text.len() >= BASE64_CHARS_MIN
            && text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=_-".contains(c))).any(is_mixed)
}

/// Whether one of the beginnings has the first two bytes of that word.
fn may_begin(word: &str) -> bool {
    const PAIRS: [u64; 16] = {
        let mut pairs = [0; 16];
        let mut i = 0;
        while i < BEGINNINGS.len() {
            let (place, bit) = pair_of(BEGINNINGS[i].as_bytes());
            pairs[place] |= bit;
            i += 1;
        }
        pairs
    };
    let (place, bit) = pair_of(word.as_bytes());
    PAIRS.get(place).is_some_and(|bits| bits & bit != 0)
}

/// Place and bit of the first two bytes among 1,024.
const fn pair_of(bytes: &[u8]) -> (usize, u64) {
    let (first, second) = match bytes {
        [first, second, ..] => (*first as usize, *second as usize),
        _ => (0, 0),
    };
    (first % 16, 1 << (second % 64))
}

fn is_mixed(run: &str) -> bool {
    let count = |class: fn(&u8) -> bool| run.bytes().filter(class).count();
    let (digits, small, capital) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    // Paths and long names have separators often; keys in base64 have them once in thirty letters.
    let separators = run.len() - digits - small - capital;
    run.len() >= BASE64_CHARS_MIN && digits >= 3 && small >= 6 && capital >= 6 && separators * 10 <= run.len()
}
