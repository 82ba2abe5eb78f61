//! Work that takes a thread for some time: so much of a kind at a time, also of what whoever asked does not wait for any more.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Failed;

/// The right to do some work of a kind. It belongs to the work, which goes on when nobody waits for it.
pub(super) type Turn = SemaphorePermit<'static>;

/// One of the `places` for a kind of work, when there is room.
pub(super) async fn turn(places: &'static Semaphore) -> Result<Turn, Failed> {
    places.acquire().await.map_err(|_| Failed::Stopping)
}

/// Does `work`, on a thread that may take its time, and ends its turn.
pub(super) async fn work<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    let work = move || {
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| Failed::Stopping)
}
