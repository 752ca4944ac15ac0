//! When to stop: SIGTERM from a service manager, SIGINT from a person.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves when the process is asked to stop. If signals can't be listened to, it never does.
pub async fn signal_received() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals can't be listened to; stop the process with SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
