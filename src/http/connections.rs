//! The loop that lets connections in: so many at a time, and none that takes its time with a request.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

/// Connections let in at a time by each listener; others wait in the backlog. People and Prometheus need few.
const MAX_CONNECTIONS: usize = 64;

/// A client has this long for the head of a request, and between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nobody is let in after that failed, for want of files most likely.
const REST: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(super) trait Listener {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for tokio::net::TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn next(&self) -> io::Result<Self::Stream> {
        Ok(self.accept().await?.0)
    }
}

impl Listener for tokio::net::UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<Self::Stream> {
        Ok(self.accept().await?.0)
    }
}

/// Answers what comes over `listener` by the routes made for each connection, until `stop` comes; requests under way are
/// answered then.
pub(super) async fn serve<L: Listener>(
    listener: L,
    routes: impl Fn(&L::Stream) -> Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let open = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((slot, listener.next().await?))
        };
        let (slot, stream) = tokio::select! {
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(routes(&stream));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that breaks off is no news.
            let _ = connection.await;
            drop(slot);
        });
    }
    open.shutdown().await;
    Ok(())
}
