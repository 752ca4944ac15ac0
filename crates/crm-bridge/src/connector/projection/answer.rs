//! The raw bytes of a CRM answer.

use crate::policy::held::wipe;

/// Bytes that the CRM sent. No `Debug`, no `Serialize`, no `Clone`; wiped when dropped and when they move to a larger
/// buffer. Between network and here they also pass through buffers of the HTTP library, which are not wiped.
pub struct RawAnswer {
    bytes: Vec<u8>,
}

impl RawAnswer {
    /// An empty answer with room for so many bytes.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Adds what arrived. False, and nothing added, if that would be more than `bytes_max`.
    pub fn push(&mut self, chunk: &[u8], bytes_max: usize) -> bool {
        let needed = self.bytes.len().saturating_add(chunk.len());
        if needed > bytes_max {
            return false;
        }
        if needed > self.bytes.capacity() {
            let mut larger =
                Vec::with_capacity(needed.max(self.bytes.capacity() * 2).min(bytes_max.max(needed)));
            larger.extend_from_slice(&self.bytes);
            std::mem::swap(&mut self.bytes, &mut larger);
            wipe(&mut larger);
        }
        self.bytes.extend_from_slice(chunk);
        true
    }

    /// The bytes, for the parser; beside it only `crm-bridge prove` looks at what it planted itself ([`super::super::plant`]).
    pub(in crate::connector) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for RawAnswer {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_grows_up_to_its_limit_and_not_beyond() {
        let mut answer = RawAnswer::with_room(2);
        assert!(answer.push(b"abc", 6));
        assert!(answer.push(b"def", 6));
        assert!(!answer.push(b"g", 6));
        assert_eq!(answer.bytes(), b"abcdef");
    }
}
