//! Password hashes: argon2id with the parameters that OWASP recommends, off the async threads and a few at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use service_kit::{Ids, Secret};
use tokio::sync::Semaphore;

use crate::error::TicketError;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Each takes its memory, so only so many run at the same time.
const PARALLEL_MAX: usize = 2;
/// So many may wait for their turn; more are told to come back.
const WAITING_MAX: usize = 64;
const BUSY_RETRY_S: u64 = 5;

/// The hash of no password that anybody has, with the same parameters: unknown addresses take as long as known ones.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$Sr5TlIaj7pTqNYDS5tCAzvVRQjC+LuV0AZSDQ2Ba2zU";

/// Hashes and checks passwords. Clones share the limit.
#[derive(Clone, Debug)]
pub struct Passwords {
    ids: Ids,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Passwords {
    /// A hasher that draws its salts from `ids`.
    pub fn new(ids: Ids) -> Self {
        Self {
            ids,
            running: Arc::new(Semaphore::new(PARALLEL_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// The text to store for a password.
    ///
    /// # Errors
    /// [`TicketError::TooMany`] if too many are waiting.
    pub async fn hash(&self, password: Secret) -> Result<String, TicketError> {
        let mut salt = [0u8; 16];
        self.ids.fill(&mut salt);
        self.run(move || hash(&password, &salt)).await?
    }

    /// Whether the password belongs to the stored text. Without one it takes as long and the answer is no.
    ///
    /// # Errors
    /// [`TicketError::TooMany`] if too many are waiting.
    pub async fn fits(&self, password: Secret, stored: Option<String>) -> Result<bool, TicketError> {
        self.run(move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
            let hash = PasswordHash::new(&stored).map_err(|error| {
                TicketError::Internal(format!("a stored password hash can't be read: {error}"))
            })?;
            let fits = Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok();
            Ok(fits && known)
        })
        .await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TicketError> {
        let _place = self.waiting.try_acquire().map_err(|_| TicketError::TooMany(BUSY_RETRY_S))?;
        let stopped =
            |error: &dyn std::fmt::Display| TicketError::Internal(format!("password hashing: {error}"));
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|error| stopped(&error))?;
        // The turn moves along: whoever gives up waiting does not let one more start.
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(|error| stopped(&error))
    }
}

fn hash(password: &Secret, salt: &[u8]) -> Result<String, TicketError> {
    let failed = |error: &dyn std::fmt::Display| TicketError::Internal(format!("password hashing: {error}"));
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| failed(&error))?;
    let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.expose().as_bytes(), salt)
        .map_err(|error| failed(&error))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_kit::Clock;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_no_other() {
        let passwords = Passwords::new(Ids::seeded(Clock::system(), 1));
        let stored = passwords.hash(Secret::new("correct horse battery")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.fits(Secret::new("correct horse battery"), Some(stored.clone())).await.unwrap());
        assert!(!passwords.fits(Secret::new("correct horse batterY"), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_hash_is_as_much_work_as_anybodys_and_fits_nothing() {
        let hash = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        let passwords = Passwords::new(Ids::seeded(Clock::system(), 1));
        assert!(!passwords.fits(Secret::new(""), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_back() {
        let passwords = Passwords::new(Ids::seeded(Clock::system(), 1));
        let _all = passwords.waiting.acquire_many(u32::try_from(WAITING_MAX).unwrap()).await.unwrap();
        let error = passwords.fits(Secret::new("x"), None).await.unwrap_err();
        assert!(matches!(error, TicketError::TooMany(BUSY_RETRY_S)));
    }
}
