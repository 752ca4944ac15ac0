//! Attached files on the disk: written beside their place while they come in, and moved there when they are whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use db_kit::DbError;
use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

use crate::error::TicketError;

/// So much of the beginning is looked at to tell what a file is.
const HEAD_BYTES: usize = 8 * 1024;
/// Where files are while they come in.
const INCOMING: &str = "incoming";
/// Files are spread over so many folders.
pub const SHARDS: u64 = 256;

/// The folder of attached files. Clones share it.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: Arc<PathBuf>,
    bytes_max: u64,
}

/// A file that is coming in. Dropped before it is whole, it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming {
    file: File,
    path: PathBuf,
    bytes: u64,
    bytes_max: u64,
    hash: Sha256,
    head: Vec<u8>,
    moved: bool,
}

/// What is known of a whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its size.
    pub bytes: i64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// What its first bytes look like.
    pub media_type: &'static str,
}

impl FileStore {
    /// Files in this folder, each of at most `bytes_max`. The folder is made when the first one comes in.
    pub fn new(folder: impl Into<PathBuf>, bytes_max: u64) -> Self {
        Self { folder: Arc::new(folder.into()), bytes_max }
    }

    /// The largest file.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Begins a file with this id.
    ///
    /// # Errors
    /// `storage_full`, or an internal error that names the path.
    pub async fn begin(&self, id: &str) -> Result<Incoming, TicketError> {
        let folder = self.folder.join(INCOMING);
        fs::create_dir_all(&folder).await.map_err(|error| failed(&folder, &error))?;
        let path = folder.join(id);
        let file = File::create_new(&path).await.map_err(|error| failed(&path, &error))?;
        let (hash, head) = (Sha256::new(), Vec::with_capacity(HEAD_BYTES));
        Ok(Incoming { file, path, bytes: 0, bytes_max: self.bytes_max, hash, head, moved: false })
    }

    /// Moves a whole file to its place; `Ok` means that it is on the disk under its id.
    ///
    /// # Errors
    /// As [`FileStore::begin`].
    pub async fn keep(&self, id: &str, incoming: Incoming) -> Result<StoredFile, TicketError> {
        let mut incoming = incoming;
        let place = self.place(id);
        let folder = place.parent().unwrap_or(&self.folder).to_owned();
        incoming.file.flush().await.map_err(|error| failed(&incoming.path, &error))?;
        incoming.file.sync_all().await.map_err(|error| failed(&incoming.path, &error))?;
        fs::create_dir_all(&folder).await.map_err(|error| failed(&folder, &error))?;
        fs::rename(&incoming.path, &place).await.map_err(|error| failed(&place, &error))?;
        incoming.moved = true;
        // The name is on the disk only when the folder is.
        let handle = File::open(&folder).await.map_err(|error| failed(&folder, &error))?;
        handle.sync_all().await.map_err(|error| failed(&folder, &error))?;
        Ok(StoredFile {
            bytes: i64::try_from(incoming.bytes).unwrap_or(i64::MAX),
            sha256: hex::encode(std::mem::take(&mut incoming.hash).finalize()),
            media_type: sniffed(&incoming.head),
        })
    }

    /// Opens a file for reading; none if it is not there.
    ///
    /// # Errors
    /// An internal error that names the path.
    pub async fn open(&self, id: &str) -> Result<Option<File>, TicketError> {
        let place = self.place(id);
        match File::open(&place).await {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&place, &error)),
        }
    }

    /// Removes a file; it may be gone already.
    ///
    /// # Errors
    /// An internal error that names the path.
    pub async fn remove(&self, id: &str) -> Result<(), TicketError> {
        let place = self.place(id);
        match fs::remove_file(&place).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&place, &error)),
            _ => Ok(()),
        }
    }

    /// The ids of files in one of the [`SHARDS`] folders that have been there for `age`.
    ///
    /// # Errors
    /// An internal error that names the path.
    pub async fn older_than(&self, shard: u64, age: Duration) -> Result<Vec<String>, TicketError> {
        names_older_than(&self.folder.join(format!("{:02x}", shard % SHARDS)), age).await
    }

    /// Removes what began to come in so long ago and never got whole, for example when the power failed.
    ///
    /// # Errors
    /// An internal error that names the path.
    pub async fn remove_torn(&self, age: Duration) -> Result<usize, TicketError> {
        let folder = self.folder.join(INCOMING);
        let torn = names_older_than(&folder, age).await?;
        for name in &torn {
            let path = folder.join(name);
            fs::remove_file(&path).await.map_err(|error| failed(&path, &error))?;
        }
        Ok(torn.len())
    }

    /// Ids begin with the time; their last letters are random and spread the files evenly.
    fn place(&self, id: &str) -> PathBuf {
        let plain: String = id.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
        let mut last: Vec<char> = plain.chars().rev().take(2).collect();
        last.reverse();
        self.folder.join(last.into_iter().collect::<String>()).join(plain)
    }
}

impl Incoming {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`TicketError::TooLarge`], `storage_full`, or an internal error that names the path.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), TicketError> {
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        if self.bytes > self.bytes_max {
            return Err(TicketError::TooLarge(self.bytes_max));
        }
        let missing = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(chunk.iter().take(missing));
        self.hash.update(chunk);
        self.file.write_all(chunk).await.map_err(|error| failed(&self.path, &error))
    }

    /// How many bytes came in so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.moved
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(file.path = %self.path.display(), error.cause = %error, "a torn file stays until it is tidied up");
        }
    }
}

async fn names_older_than(folder: &Path, age: Duration) -> Result<Vec<String>, TicketError> {
    let mut entries = match fs::read_dir(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(|error| failed(folder, &error))?,
    };
    let mut names = vec![];
    while let Some(entry) = entries.next_entry().await.map_err(|error| failed(folder, &error))? {
        // The file system has the machine's clock, so this is one place where the injected one can't be asked.
        // Gone in between: then there is nothing to do.
        let Ok(modified) = entry.metadata().await.and_then(|metadata| metadata.modified()) else { continue };
        if modified.elapsed().is_ok_and(|elapsed| elapsed >= age) {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

/// What the first bytes look like. Whatever the sender called it is not asked.
fn sniffed(head: &[u8]) -> &'static str {
    match infer::get(head) {
        Some(kind) => kind.mime_type(),
        None if is_text(head) => "text/plain",
        None => "application/octet-stream",
    }
}

fn is_text(head: &[u8]) -> bool {
    let whole = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last letter may be cut in the middle.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !whole.is_empty()
        && !whole.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\r' | '\t' | '\u{c}'))
}

fn failed(path: &Path, error: &io::Error) -> TicketError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            TicketError::Database(DbError::StorageFull)
        }
        _ => TicketError::Internal(format!("file {}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn kept(store: &FileStore, id: &str, content: &[u8]) -> Result<StoredFile, TicketError> {
        let mut incoming = store.begin(id).await?;
        for chunk in content.chunks(3) {
            incoming.write(chunk).await?;
        }
        store.keep(id, incoming).await
    }

    fn files_in(folder: &Path) -> usize {
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    #[tokio::test]
    async fn a_file_is_kept_with_its_hash_and_what_it_looks_like() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("deep/files"), 100);
        let stored = kept(&store, "att_01ab", b"%PDF-1.7\n...").await.unwrap();
        assert_eq!(stored.media_type, "application/pdf");
        assert_eq!(stored.sha256, hex::encode(Sha256::digest(b"%PDF-1.7\n...")));
        assert!(store.open("att_01ab").await.unwrap().is_some());
        assert_eq!(files_in(&folder.path().join("deep/files/incoming")), 0);
        store.remove("att_01ab").await.unwrap();
        store.remove("att_01ab").await.unwrap();
        assert!(store.open("att_01ab").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_too_large_or_torn_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path(), 5);
        assert!(matches!(kept(&store, "att_01ab", b"123456").await, Err(TicketError::TooLarge(5))));
        let mut torn = store.begin("att_01ac").await.unwrap();
        torn.write(b"12").await.unwrap();
        drop(torn);
        assert_eq!(files_in(&folder.path().join("incoming")), 0);
    }

    #[tokio::test]
    async fn what_lay_about_for_long_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path(), 5);
        kept(&store, "att_01ab", b"1").await.unwrap();
        std::fs::write(folder.path().join("incoming/att_01ad"), b"torn").unwrap();
        assert!(store.older_than(0xab, Duration::from_secs(60)).await.unwrap().is_empty());
        assert_eq!(store.older_than(0xab, Duration::ZERO).await.unwrap(), ["att_01ab"]);
        assert_eq!(store.older_than(0xac, Duration::ZERO).await.unwrap(), [""; 0]);
        assert_eq!(store.remove_torn(Duration::ZERO).await.unwrap(), 1);
    }

    #[test]
    fn no_id_leads_out_of_the_folder() {
        let store = FileStore::new("/files", 5);
        assert_eq!(store.place("../../etc/passwd"), Path::new("/files/wd/etcpasswd"));
    }

    #[test]
    fn a_file_is_what_it_looks_like() {
        assert_eq!(sniffed(b"\x89PNG\r\n\x1a\n"), "image/png");
        assert_eq!(sniffed(b"<!DOCTYPE html><script>"), "text/html");
        assert_eq!(sniffed("Привет\n".as_bytes()), "text/plain");
        assert_eq!(sniffed("Привет".as_bytes().get(..11).unwrap()), "text/plain");
        assert_eq!(sniffed(b"MZ\x90\0\x03\0"), "application/vnd.microsoft.portable-executable");
        assert_eq!(sniffed(b"\x00\x01\x02"), "application/octet-stream");
        assert_eq!(sniffed(b""), "application/octet-stream");
    }
}
